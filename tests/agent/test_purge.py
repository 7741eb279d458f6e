"""Removing a storage that its owner has made hard to remove. Run where root's helper runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from agentproc import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "deploy" / "mailhost"))

from helper.verbs import NotDone, Verbs

STORAGE = "ef" + "0" * 30


@pytest.fixture
def storage(tmp_path) -> Path:
    place = tmp_path / "mail/ef" / STORAGE
    place.mkdir(parents=True)
    return place


def purge(tmp_path: Path) -> dict:
    return Verbs(tmp_path).call({"verb": "purge", "storage_id": STORAGE})


def test_case_081_folders_nested_deeper_than_a_path_or_the_descriptors(tmp_path, storage) -> None:
    code = (
        "import os, sys\nos.chdir(sys.argv[1])\n"
        "for number in range(3000):\n os.mkdir('x'); open('mail', 'w').close(); os.chdir('x')\n"
    )
    subprocess.run([sys.executable, "-c", code, storage], check=True)
    purge(tmp_path)
    assert not storage.exists()


def test_case_081_everything_that_is_no_plain_file(tmp_path, storage) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "keep").write_text("x")
    (storage / "a/b/c").mkdir(parents=True)
    for folder in (storage, storage / "a", storage / "a/b/c"):
        (folder / "to-folder").symlink_to(victim)
        (folder / "to-file").symlink_to(victim / "keep")
        (folder / "to-itself").symlink_to("to-itself")
        (folder / "dangling").symlink_to("/nowhere")
        (folder / "hard").hardlink_to(victim / "keep")
        os.mkfifo(folder / "fifo")
        (folder / "closed").mkdir(mode=0o000)
        (folder / "odd \n\x1b[2J name").write_text("x")
    purge(tmp_path)
    assert not storage.exists()
    assert (victim / "keep").read_text() == "x" and (victim / "keep").stat().st_nlink == 1


def test_case_081_link_swapped_in_while_it_runs_leads_nowhere(tmp_path, storage) -> None:
    """Its owner changes a folder into a link and back, as fast as he can."""
    victim = tmp_path / "victim"
    victim.mkdir()
    for number in range(50):
        (victim / str(number)).write_text("x")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            try:
                (storage / "door").mkdir()
                (storage / "door").rmdir()
                (storage / "door").symlink_to(victim)
                (storage / "door").unlink()
            except OSError:
                pass

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(150):
            storage.mkdir(exist_ok=True)
            try:
                purge(tmp_path)
            except NotDone as refusal:
                assert refusal.code == "failed"
    finally:
        done.set()
        swapper.join()
    assert len(list(victim.iterdir())) == 50


def test_file_in_the_place_of_a_storage_is_removed(tmp_path, storage) -> None:
    storage.rmdir()
    storage.write_text("x")
    purge(tmp_path)
    assert not storage.exists()


def test_host_without_a_mail_directory_says_so(tmp_path) -> None:
    with pytest.raises(NotDone, match="no_mail_directory"):
        purge(tmp_path)
