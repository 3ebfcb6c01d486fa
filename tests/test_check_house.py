"""The checks of the house find what they are there for."""

from pathlib import Path

import pytest

from tests import check_house

LOCK = """\
Some_Thing==1.2.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
other==3 ; python_version < '3' \\
    --hash=sha256:cc
"""


def test_a_lock_that_holds_all_is_right() -> None:
    """Names are compared as the index does, and hashes may stand on later lines."""
    assert list(check_house.lock_problems("lock", LOCK, ["some-thing>=1,<2", "other"])) == []


@pytest.mark.parametrize(
    ("lock", "needed", "says"),
    [
        (LOCK, "absent", "absent is missing"),
        (LOCK, "some-thing>=2", "some-thing 1.2.0 is not >=2"),
        ("bare==1\n", "bare", "bare has no hash"),
        ("--index-url somewhere\n" + LOCK, "other", "names no address"),
        (LOCK + "# made from https://somewhere\n", "other", "names no address"),
    ],
)
def test_a_wrong_lock_is_told(lock: str, needed: str, says: str) -> None:
    """A package that is missing, outdated or unhashed, and an address, are each one problem."""
    (problem,) = check_house.lock_problems("lock", lock, [needed])
    assert says in problem


def test_the_two_locks_agree() -> None:
    """What is tested is what runs."""
    assert list(check_house.disagreements(LOCK, LOCK)) == []
    (problem,) = check_house.disagreements(LOCK, LOCK.replace("1.2.0", "1.2.1"))
    assert "some-thing is 1.2.1, but 1.2.0" in problem


def test_words_for_later_are_refused(tmp_path: Path) -> None:
    """A line that puts something off is told with its place; a word that only contains one is not."""
    word = "TO" + "DO"
    (tmp_path / "a.py").write_text(f"x = 1\n# {word}: later\nmas{word}n = 2\n")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe " + word.encode())
    assert list(check_house.words_for_later(tmp_path, check_house.tracked_files(tmp_path))) == [
        f"a.py:2: '{word}' puts something off"
    ]
