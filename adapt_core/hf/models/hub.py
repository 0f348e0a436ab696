"""Requests to the Hugging Face hub: one, without retries, with errors that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.errors import InputError, first_line
from adapt_core.hf.models.location import ModelSource

if TYPE_CHECKING:
    from adapt_core.run_folder.paths import RunFolder

_TIMEOUT = 10.0
"""Seconds to wait for the hub's first answer."""


def require_model(source: ModelSource, key: str = "MODEL_PATH") -> bool:
    """Check that the hub has a model, with one request.

    Returns:
        whether only cached files may be used: the hub cannot be reached or HF_HUB_OFFLINE is set, and the model's
        config is in the cache.

    Raises:
        InputError: the hub has no such model, requires a login, or cannot be reached and nothing is cached.
    """
    assert source.hub_id is not None
    return _require(
        source.hub_id, source.revision, "model", key, "./my-model (a folder with config.json, weights and tokenizer)"
    )


def require_dataset(repo_id: str) -> bool:
    """Check that the hub has a dataset; see `require_model`."""
    return _require(repo_id, None, "dataset", "DATASET", "CUSTOM_DATASET_PATH: ./my-data (csv, jsonl, parquet)")


def _require(repo_id: str, revision: str | None, kind: str, key: str, local: str) -> bool:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    looked_up = f"{key}: {repo_id!r} is not a local path, so it was looked up on the Hugging Face hub"
    try:
        HfApi().repo_info(repo_id, revision=revision, repo_type=kind, timeout=_TIMEOUT)
    except GatedRepoError:
        raise InputError(f"{looked_up}, which requires you to accept its terms and log in (hf auth login).") from None
    except RevisionNotFoundError:
        raise InputError(f"{looked_up}, which has no revision {revision!r} of it. Name one that it has.") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise InputError(
            f"{looked_up}, which has no such {kind} (or it is private: hf auth login). A local path looks like {local}."
            " Correct the name."
        ) from None
    except Exception as error:  # noqa: BLE001 - offline mode, DNS, proxies, time-outs: each HTTP library has its own
        if _is_cached(repo_id, revision, kind):
            return True
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"no connection: {first_line(error)}"
        raise InputError(
            f"{looked_up}, which cannot be reached ({reason}), and it is not in the cache. "
            f"A local path looks like {local}."
            " Correct it, or go online once."
        ) from None
    return False


def _is_cached(repo_id: str, revision: str | None, kind: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = ("config.json",) if kind == "model" else ("README.md", "dataset_infos.json")
    return any(
        isinstance(try_to_load_from_cache(repo_id, name, revision=revision, repo_type=kind), str) for name in names
    )


class HubUpload:
    """Upload to the Hugging Face hub, as `adapt_core.capabilities.SupportsHubUpload`; a base of tasks."""

    def check_hub_upload(self, repo_id: str) -> None:
        """Create the repository (private) unless it exists.

        Raises:
            InputError: no login, no right to write, or no connection.
        """
        from huggingface_hub import HfApi

        try:
            HfApi().create_repo(repo_id, exist_ok=True, private=True)
        except Exception as error:  # noqa: BLE001 - no login, no right, no network: the reason is shown
            raise InputError(
                f"PUSH_TO_HUB: the hub repository {repo_id!r} cannot be written to ({first_line(error)}). "
                "Log in with hf auth login, or leave PUSH_TO_HUB out and upload model/ later."
            ) from None

    def push_to_hub(self, repo_id: str, folder: RunFolder) -> str:
        """Upload the model card, what is in `model/`, and `adapter/`; return the repository's address.

        The adapter's config is another than the model's, so it stays in a folder of its own.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        for part, place in ((folder.model, ""), (folder.adapter, folder.adapter.name)):
            if part.is_dir():
                message = f"adapt: {part.name}"
                api.upload_folder(repo_id=repo_id, folder_path=part, path_in_repo=place, commit_message=message)
        card = folder.card
        message = "adapt: model card"
        api.upload_file(repo_id=repo_id, path_or_fileobj=card, path_in_repo=card.name, commit_message=message)
        return f"{api.endpoint}/{repo_id}"
