"""Launcher of one node's training processes: `accelerate launch`, made to outlive signals.

A signal that asks to drain is for the worker, which passes the request on. Under
proctrack/linuxproc Slurm sends it to every process of the step, and torchelastic would end its
workers on SIGTERM and die of SIGUSR1.
"""

from __future__ import annotations

import signal

from iacfilter_hpc.worker.process_tree import follow_parent


def main() -> None:
    # nothing here can save: the processes that can are told by their own follow_parent
    follow_parent(signal.SIGKILL)
    # what is ignored stays ignored in what is started; trainers have handlers of their own
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # only now: it takes seconds, in which a signal would end this process
    from accelerate.commands.launch import launch_command, launch_command_parser

    arguments = launch_command_parser().parse_args()
    # torchrun's own flag, for which accelerate has none: it hands on whatever it finds here
    arguments.signals_to_handle = "SIGINT,SIGQUIT"
    launch_command(arguments)


if __name__ == "__main__":
    main()
