"""Every command that the documentation shows is run here, and what it prints is compared.

The convention, for whoever writes a page:

- ```` ```sh ```` is run by bash and must succeed. ```` ```console ```` holds `$ commands`, each with what it prints:
  `...` stands for any text, as a line of its own for any lines; a command that prints nothing here may print anything.
  `{ data-exit="2" }` on the fence says that its last command ends with that code.
- ```` ```python ```` is run by Python. Any fence with `title="FILE"` is written to FILE instead.
- `{ data-not-run="REASON" }` leaves a fence out; the reason is one of `pages.NOT_RUN`.
- `pytest tests/docs -k NAME_OF_PAGE -o log_cli=true --log-cli-level=INFO` shows what everything printed.
- A page is one session in one folder, from top to bottom. What lies in the folder before is told in `pages.PAGES`.
"""
