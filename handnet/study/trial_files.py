"""The trials of studies as files and databases that Optuna's dashboard reads."""

from collections.abc import Mapping
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from handnet.messages import Refusal, option
from handnet.study.redaction import redacted
from handnet.study.search import OURS, Search


def write_trials_to(where: str, searches: Mapping[str, Search]) -> None:
    """Write the trials of studies, by name, into a storage of Optuna's.

    where: an address such as sqlite:///optuna.db, or the path of a journal file. Raises Refusal when
    something else is there, or it cannot be written."""
    try:
        if "://" in where:
            _write_storage(where, searches)
        else:
            _check_journal(Path(where))
            write_journal(where, searches)
    except Refusal:
        raise
    except Exception as fault:  # of a driver, a database or a disk: each has its own
        why = " ".join(redacted(str(fault)).split())[:200]
        raise Refusal(
            f"{redacted(where)} cannot be written ({type(fault).__name__}: {why}); name a file, or a database"
            f" as {option('optuna', 'sqlite:///optuna.db')}.",
            1,
        ) from None


def write_journal(path: str, searches: Mapping[str, Search]) -> None:
    """Write the trials of studies, by name, into a journal file of Optuna's, whole or not at all."""
    new = Path(path).with_name(f".{Path(path).name}.new")
    new.unlink(missing_ok=True)
    storage = JournalStorage(JournalFileBackend(str(new)))
    for name, search in searches.items():
        search.copy_to(storage, name)
    new.replace(path)


def _check_journal(path: Path) -> None:
    """Raises Refusal unless a journal of ours can be written here: the file would be replaced."""
    if path.is_dir() or not path.name or not path.parent.is_dir():
        raise Refusal(
            f"{str(path)!r} is a folder, or lies in none; {option('optuna')} wants the path of a file."
        )
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    try:
        studies = JournalStorage(JournalFileBackend(str(path))).get_all_studies() if path.is_file() else ()
    except Exception:  # whatever Optuna finds in a file that is no journal
        studies = ()
    if not studies or any(OURS not in study.user_attrs for study in studies):
        raise Refusal(
            f"{path} is no journal of this program's trials, and is left as it is; write to another file, or"
            f" to a database as {option('optuna', f'sqlite:///{path}')}."
        )


def _write_storage(uri: str, searches: Mapping[str, Search]) -> None:
    for name, search in searches.items():
        if name in optuna.get_all_study_names(uri):
            if OURS not in optuna.load_study(study_name=name, storage=uri).user_attrs:
                raise Refusal(f"{uri} holds another study {name!r}; write to a storage of its own.")
            optuna.delete_study(study_name=name, storage=uri)
        try:
            search.copy_to(uri, name)
        except BaseException:
            optuna.delete_study(study_name=name, storage=uri)
            raise
