"""Count the parameters annotated with `Any`, and fail where they are too many.

    python scripts/any_share.py [--list] [ROOT]

A parameter counts where its annotation is `Any`, or a container or union of nothing but `Any` and None: `Any | None`,
`list[Any]`, `Iterable[Any]`, `tuple[Any, ...]`. `dict[str, Any]` and `Callable[..., Any]` do not count. The script
reads the parameters of every function and method except `self`, `cls` and those of lambdas. It needs no package.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path

LARGEST_SHARE = 0.03
"""Of the parameters of all packages together."""

CONTAINERS = {"list", "tuple", "set", "frozenset", "dict", "Mapping", "Sequence", "Iterable", "Iterator", "Collection"}

PACKAGES = {
    "adapt_core": "adapt_core",
    "adapt_nlp": "plugins/adapt-nlp/adapt_nlp",
    "adapt_vision_mm": "plugins/adapt-vision-mm/adapt_vision_mm",
    "adapt_peft_ssf": "plugins/adapt-peft-ssf/adapt_peft_ssf",
    "adapt_fsdp": "plugins/adapt-fsdp/adapt_fsdp",
    "adapt_verdict": "plugins/adapt-verdict/adapt_verdict",
    "adapt_tune": "plugins/adapt-tune/adapt_tune",
    "adapt_gguf": "plugins/adapt-gguf/adapt_gguf",
    "adapt_onnx": "plugins/adapt-onnx/adapt_onnx",
    "adapt_ray": "plugins/adapt-ray/adapt_ray",
}


def is_any(annotation: ast.expr | None) -> bool:
    """Return whether an annotation is `Any`, or a container or union of nothing else."""
    match annotation:
        case ast.Name(id="Any") | ast.Attribute(attr="Any"):
            return True
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            members = [member for member in (left, right) if not _is_constant(member)]
            return bool(members) and all(is_any(member) for member in members)
        case ast.Subscript(value=ast.Name(id=name)) if name not in CONTAINERS:
            return False
        case ast.Subscript(slice=ast.Tuple(elts=elements)):
            members = [element for element in elements if not _is_constant(element)]
            return bool(members) and all(is_any(member) for member in members)
        case ast.Subscript(slice=content):
            return is_any(content)
    return False


def _is_constant(annotation: ast.expr) -> bool:
    """Return whether an annotation is None or an ellipsis."""
    return isinstance(annotation, ast.Constant) and annotation.value in (None, ...)


def parameters(tree: ast.Module) -> Iterator[ast.arg]:
    """Yield the parameters of every function of a module, without `self` and `cls`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = node.args
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
            yield from (argument for argument in [*named, *starred] if argument.arg not in ("self", "cls"))


def main() -> int:
    """Print the share of each package and of all; return 1 where that of all is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--list", action="store_true", help="print each parameter that counts")
    arguments = parser.parse_args()
    all_counted = all_found = 0
    for package, folder in PACKAGES.items():
        counted = found = 0
        for file in sorted((arguments.root / folder).rglob("*.py")):
            for parameter in parameters(ast.parse(file.read_text(encoding="utf-8"))):
                counted += 1
                if is_any(parameter.annotation):
                    found += 1
                    if arguments.list:
                        print(f"{file.relative_to(arguments.root)}:{parameter.lineno}: {parameter.arg}")
        print(f"{package:16} {found:4} of {counted:5} parameters are Any ({found / counted:.1%})")
        all_counted, all_found = all_counted + counted, all_found + found
    share = all_found / all_counted
    print(f"{'all':16} {all_found:4} of {all_counted:5} parameters are Any ({share:.1%}; at most {LARGEST_SHARE:.0%})")
    return int(share > LARGEST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
