"""The faults that a sweep must survive, each with a test that shows it. A test that is renamed or lost is missed here.

F01-F48 as they were written down before any of this was built.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

# fault -> what it is, and file:test of those that show it
SHOWN: dict[str, tuple[str, str]] = {
    "F01": ("worker killed in an epoch", "runner/test_mishaps:test_f01_a_worker_killed_in_an_epoch"),
    "F02": ("crash while a checkpoint is written", "test_crashes:test_F02_F03_F04_F05_crash_at_every_operation"),
    "F03": ("crash before the record is there", "test_crashes:test_F02_F03_F04_F05_crash_at_every_operation"),
    "F04": ("crash after the record is there", "test_crashes:test_F02_F03_F04_F05_crash_at_every_operation"),
    "F05": ("crash at every file operation", "test_crashes:test_F05_sigkill"),
    "F06": ("a node dies", "runner/test_nodes:test_f06_f07_f08_nodes_come_and_go"),
    "F07": ("all nodes die, one joins", "runner/test_nodes:test_f06_f07_f08_nodes_come_and_go"),
    "F08": ("a node joins", "runner/test_nodes:test_f06_f07_f08_nodes_come_and_go"),
    "F09": ("driver killed", "runner/test_ballistic:test_f09_f18_kills_at_random_until_all_is_done"),
    "F10": ("head of the cluster killed", "runner/test_ballistic:test_f10_the_head_of_the_cluster_is_killed"),
    "F11": ("everything killed", "runner/test_signals:test_f11_the_whole_tree_is_killed"),
    "F12": ("power cut", "test_crashes:test_F12_power_cut_at_every_operation"),
    "F13": ("SIGTERM, SIGUSR1", "runner/test_signals:test_f13_f16_every_running_epoch_is_ended"),
    "F14": ("grace shorter than an epoch", "runner/test_signals:test_f14_a_grace_shorter_than_an_epoch"),
    "F15": ("SIGTERM to one worker", "runner/test_mishaps:test_f15_a_worker_that_is_told_to_go_ends_its_epoch_first"),
    "F16": ("Ctrl-C", "runner/test_signals:test_f13_f16_every_running_epoch_is_ended"),
    "F17": ("Ctrl-C twice", "runner/test_signals:test_f17_ctrl_c_twice_leaves_at_once"),
    "F18": ("random kills until done", "runner/test_ballistic:test_f09_f18_kills_at_random_until_all_is_done"),
    "F19": ("hung trial", "runner/test_mishaps:test_f19_f22_f26_f28_what_happens_every_time_has_an_end"),
    "F20": ("stopped worker", "runner/test_mishaps:test_f20_a_worker_that_is_stopped_is_killed_in_time"),
    "F21": ("zombie returns", "runner/test_two_drivers:test_f21_f41_a_zombie_writes_no_more"),
    "F22": ("exception every time", "runner/test_retry:test_f22_f24_f25_what_would_happen_again_is_not_repeated"),
    "F23": ("exception once", "runner/test_retry:test_f23_a_bug_that_was_mended_is_run_again_at_the_users_word"),
    "F24": ("wrong configuration", "runner/test_retry:test_f22_f24_f25_what_would_happen_again_is_not_repeated"),
    "F25": ("diverged", "runner/test_local:test_a_failing_trial_sinks_neither_the_sweep_nor_its_cousins"),
    "F26": ("GPU memory", "runner/test_retry:test_f26_f27_out_of_memory_fits_in_a_smaller_micro_batch"),
    "F27": ("host memory", "runner/test_retry:test_f26_f27_out_of_memory_fits_in_a_smaller_micro_batch"),
    "F28": ("segfault", "runner/test_mishaps:test_f19_f22_f26_f28_what_happens_every_time_has_an_end"),
    "F29": ("disk full", "test_faults:test_f29_a_full_disk_that_is_freed"),
    "F30": ("short writes", "test_durable:test_F30_a_disk_that_takes_only_a_part"),
    "F31": ("n-th operation fails", "test_crashes:test_F31_F32_error_at_every_operation"),
    "F32": ("fsync fails", "test_crashes:test_F31_F32_error_at_every_operation"),
    "F33": ("read-only store", "test_faults:test_f33_a_store_that_cannot_be_written"),
    "F34": (
        "store replaced by a link",
        "test_durable:test_F34_a_link_on_the_way_is_refused_one_at_the_root_is_the_users_choice",
    ),
    "F35": ("truncated record", "test_store_damage:test_F35_F38_every_cut_and_every_tail_of_zeros_of_a_record"),
    "F36": ("bit flips", "test_store_damage:test_F36_every_bit_of_a_record"),
    "F37": ("damaged checkpoint", "test_crashes:test_F37_a_damaged_checkpoint"),
    "F38": ("torn progress", "test_store_damage:test_F38_damaged_progress_counts_as_none"),
    "F39": ("drafts left over", "test_crashes:test_F39_drafts_are_no_files"),
    "F40": ("two drivers", "runner/test_two_drivers:test_f40_two_drivers_share_the_work"),
    "F41": (
        "a driver stopped past its leases",
        "runner/test_two_drivers:test_f41_a_driver_that_is_stopped_past_its_leases",
    ),
    "F42": ("stale lease", "test_leases:test_F41_F42_another_machines_lease_is_dead_when_its_count_stands_still"),
    "F43": ("slow file system", "test_faults:test_f43_a_slow_file_system"),
    "F44": ("temporary folder on another device", "test_faults:test_f44_no_file_comes_from_another_device"),
    "F45": ("clocks that are wrong", "test_faults:test_f45_clocks_that_jump"),
    "F46": ("lost and late messages", "runner/test_ballistic:test_f46_messages_that_come_late"),
    "F47": ("a foreign cluster on the machine", "runner/test_cluster:test_f47_a_foreign_cluster_is_not_called"),
    "F48": ("what Ray keeps is lost or garbled", "test_faults:test_f48_what_ray_keeps_is_never_read"),
}


def test_every_fault_is_in_the_table() -> None:
    assert list(SHOWN) == [f"F{number:02}" for number in range(1, 49)]


@pytest.mark.parametrize("fault", SHOWN)
def test_its_test_exists_and_bears_its_number(fault: str) -> None:
    file, _, name = SHOWN[fault][1].partition(":")
    text = (Path(__file__).parent / f"{file}.py").read_text()
    assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file}.py has no {name}"
    assert fault.lower() in name.lower() or fault in ("F25",)
