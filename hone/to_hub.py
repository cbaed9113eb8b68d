"""A published model to the Hugging Face Hub: one commit with all files, and the version as a tag there."""

import os
from pathlib import Path

from tasks.errors import UserError


def send(folder: Path, name: str, tag: str, *, public: bool) -> str:
    """Upload ``folder`` to the model ``name`` of the Hub, made if need be (private unless ``public``); its address.

    Raises:
        UserError: no login, no right, a bad name, or a Hub that does not answer.
    """
    if os.environ.get("HF_HUB_OFFLINE"):
        raise UserError(f"{name}: HF_HUB_OFFLINE is set, so nothing can be sent; unset it")
    import httpx
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not get_token():
        raise UserError(f"{name}: nobody is logged in at the Hub; 'hf auth login', or set HF_TOKEN")
    disable_progress_bars()
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    version = tag.partition("@")[2]
    try:
        url = api.create_repo(name, private=not public, exist_ok=True)
        done = api.upload_folder(repo_id=name, folder_path=folder, commit_message=tag)
        api.create_tag(name, tag=version, revision=done.oid, tag_message=tag, exist_ok=True)
    except HFValidationError as error:
        raise UserError(f"{name}: {_line(error)}; a model of the Hub is named OWNER/NAME") from None
    except HfHubHTTPError as error:
        raise UserError(f"{name}: the Hub refuses: {_line(error)}; does the token have the right to write?") from None
    except (httpx.HTTPError, OSError) as error:
        raise UserError(f"{name}: the Hub was not reached: {_line(error)}; run it again, 'hone doctor' looks") from None
    return str(url)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
