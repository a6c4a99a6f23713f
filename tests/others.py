"""Tables nobody here wrote, out of the data of installed packages. Each is written as CSV, with the words
that study it."""

import csv
import gzip
import io
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import sklearn
import statsmodels

from handnet import Dataset, read_table


class Other(NamedTuple):
    """A table, and what is typed after make study beside DATA=."""

    name: str
    frame: pd.DataFrame
    words: tuple[str, ...]


def titanic() -> Other:
    """1309 passengers: text, gaps, repeats, and repeats with both labels. Free text and what is known only
    afterwards left out."""
    path = Path(sklearn.__file__).parent / "datasets/tests/data/openml/id_40945/data-v1-dl-16826755.arff.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    names = [line.split("'")[1] for line in lines if line.startswith("@attribute")]
    rows = list(csv.reader(lines[lines.index("@data") + 1 :], escapechar="\\"))
    frame = pd.DataFrame([row for row in rows if len(row) == len(names)], columns=names).replace("?", "")
    frame = frame.drop(columns=["name", "ticket", "cabin", "boat", "body", "home.dest"])
    return Other("titanic", frame, ("TARGET=survived", "POSITIVE=1", "MISSING=median"))


def autos() -> Other:
    """201 cars: nine columns of text, gaps. Class 1: dearer than the median price, which is left out."""
    frame = pd.read_csv(
        Path(statsmodels.__file__).parent / "gam/tests/results/autos.csv", dtype=str, na_filter=False
    )
    frame = frame[frame.price.ne("NA") & frame.price.ne("")]
    price = frame.price.astype(float)
    dear = (price > price.median()).map({True: "yes", False: "no"})
    return Other(
        "autos",
        frame.drop(columns=["price", "make"]).assign(dear=dear),
        ("TARGET=dear", "POSITIVE=yes", "MISSING=median"),
    )


def dietox() -> Other:
    """861 weighings of 72 pigs. Class 1: heavier than the median of its week; the weight is left out."""
    frame = pd.read_csv(Path(statsmodels.__file__).parent / "regression/tests/results/dietox.csv")
    median = frame.groupby("Time").Weight.transform("median")
    frame = frame.assign(size=(frame.Weight > median).map({True: "heavy", False: "light"}))
    frame = pd.read_csv(
        io.StringIO(frame.drop(columns=["Weight", "Litter"]).to_csv(index=False)), dtype=str, na_filter=False
    )
    return Other("dietox", frame, ("TARGET=size", "POSITIVE=heavy", "GROUP=Pig", "MISSING=median"))


ALL = (titanic, autos, dietox)


def written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL)
    return path


def read(other: Other, path: Path) -> Dataset:
    given = dict(word.split("=") for word in other.words)
    return read_table(
        path, given["TARGET"], given["POSITIVE"], group=given.get("GROUP"), missing=given["MISSING"]
    )
