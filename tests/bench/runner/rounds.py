# SPDX-License-Identifier: MIT
"""Runs the rounds.

A round takes every measurement of every workload once, so that peers are compared within minutes,
and a phase in which the machine is disturbed falls into one round of a workload and not into all.
A measurement during which other machines took the processors (steal) says nothing about the peer:
it is taken again at the end of the round, and of its attempts the least disturbed counts. Which one
that is, the result has no part in. What fails is reported, and the others go on.
"""

import collections
import contextlib
import functools
import resource
import sys
import time
from dataclasses import dataclass, field

from . import bindings, build, machine, measure, peers, report, workloads

STEAL_AT_MOST = 0.05  # of the time of all processors: a calm machine has less than one percent
ATTEMPTS = 3
REPEATED_AT_MOST = 1 / 3  # of the time that the first attempts take


@dataclass
class Job:
    """One measurement, which is a program or a load on a server, and its least disturbed result."""

    workload: str
    peer: str
    what: str
    take: object  # answers the samples
    awake: bool = True  # processors do not halt meanwhile, see machine.awake
    repeat: bool = True  # counts and bytes are the same on a disturbed machine
    attempts: int = 0
    steal: float = 1.0  # less, once it has been taken
    samples: list = field(default_factory=list)


def raise_descriptor_limit():
    """The programs inherit it. Answers how many descriptors a process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most if most != resource.RLIM_INFINITY else 1 << 20


class Bench:
    def __init__(self, wanted, size, folder, rounds=None, part=1):
        self.peers, self.size, self.folder = wanted, size, folder
        self.rounds, self.part = rounds or workloads.ROUNDS[size], part
        self.seconds = workloads.SECONDS[self.size] / part
        self.idle = min(workloads.IDLE[self.size], raise_descriptor_limit() - 200)
        self.samples, self.round = [], 0
        self.failures = {}  # {(workload, peer): why}
        self.first_s = self.repeated_s = 0
        self.repeated = self.disturbed = 0
        self.load = build.build_load()
        self.certificate = build.make_certificate(folder)
        self.built = {peer.name: self.build(peer) for peer in wanted}

    def build(self, peer):
        try:
            return build.build(peer)
        except build.Failure as failure:
            self.fail("", peer.name, f"does not build: {failure}")
            return {}

    def fail(self, workload, peer, why):
        build.say(f"FAILED: {' '.join(filter(None, (workload, peer)))}: {why}")
        self.failures[workload, peer] = why.splitlines()[0]

    # --- who has what ---

    def commands(self, peer, name):
        """The peer's programs for `name`: {variant: command}, "" being the peer itself."""
        found = {}
        for stem, command in self.built[peer.name].items():
            if stem == name or stem.startswith(name + "_"):
                found[stem[len(name) + 1 :].replace("_", "-")] = command
        return found

    def absences(self, workload):
        """[(peer, why it is not measured)]. What is missing without a reason ends the run."""
        if workload.kind == "bindings":
            all_of_them = [(one.name, bindings.absence(one)) for one in bindings.LANGUAGES]
            return [(name, reason) for name, reason in all_of_them if reason]
        if workload.kind == "growth":
            return []  # ours alone
        answer = {}
        for peer in self.peers:
            reasons = peers.ABSENT.get(peer.name, {})
            names = [name for name in workload.needs if not self.commands(peer, name)]
            if workload.name == "echo" and "tls" in reasons:
                names.append("tls")
            if ("", peer.name) in self.failures:
                answer[peer.name, self.failures["", peer.name]] = None
                continue
            for name in names:
                if name not in reasons:
                    sys.exit(f"bench: {peer.name} lacks {name}; runner/peers.py gives no reason")
                answer[peer.name, reasons[name]] = None
        return list(answer)

    def failed(self, workload):
        """[(peer, why)]: who was to be measured and was not."""
        return [(peer, why) for (of, peer), why in self.failures.items() if of == workload.name]

    def failed_lines(self):
        return [
            " ".join(filter(None, (workload, peer))) + f": {why}"
            for (workload, peer), why in self.failures.items()
        ]

    def servers(self):
        """[(peer's name in the tables, command, whether it does TLS)]"""
        for peer in self.peers:
            tls = "tls" not in peers.ABSENT.get(peer.name, {})
            for variant, command in self.commands(peer, "server").items():
                if peer.folder == "python":
                    yield peer.name, [*command, "protocol"], tls
                    yield f"{peer.name}-streams", [*command, "streams"], tls
                else:
                    yield "-".join(filter(None, (peer.name, variant))), command, tls

    def loaded_servers(self, kinds):
        """Each kind of load with each server that it suits."""
        for kind in kinds:
            for peer, command, tls in self.servers():
                if tls or kind.mode != "tls":
                    yield kind, peer, command

    # --- what there is to measure ---

    def programs(self, workload):
        for program in workload.programs:
            for peer in self.peers:
                count = getattr(program, self.size) // self.part
                for variant, command in self.commands(peer, program.name).items():
                    stem = "_".join(filter(None, (program.name, variant)))
                    n = max(1, count // workloads.FRACTIONS.get((peer.name, stem), 1))
                    take = functools.partial(measure.program, command, n, workload.small_pages)
                    yield Job(
                        workload.name, peer.name, stem, take, repeat=workload.kind != "memory"
                    )

    def loads(self, workload):
        how = (self.certificate, self.load, self.seconds)
        for kind, peer, command in self.loaded_servers(workloads.ECHOES):
            take = functools.partial(measure.echo, peer, command, kind, *how)
            # With one connection both sides sleep: their wake-up is what is measured.
            yield Job(workload.name, peer, kind.name, take, awake=kind.connections > 1)
            if peer in peers.BUSY and kind.mode == "echo" and kind.connections == 1:
                name = f"{peer}-busy"
                take = functools.partial(measure.echo, name, command, kind, *how, mode="busy")
                yield Job(workload.name, name, kind.name, take, awake=False)
        if self.round < self.rounds:
            return
        # Counted once: a count is not noisy.
        for kind, peer, command in self.loaded_servers(workloads.TRACED):
            take = functools.partial(measure.system_calls, peer, command, kind, *how, self.folder)
            yield Job(workload.name, peer, f"{kind.name}, traced", take, repeat=False)

    def accepts(self, workload):
        for peer, command, _ in self.servers():
            take = functools.partial(measure.accept, peer, command, self.load, self.seconds)
            yield Job(workload.name, peer, "server", take)

    def memories(self, workload):
        yield from self.programs(workload)
        for peer, command, _ in self.servers():
            take = functools.partial(measure.idle, peer, command, self.load, self.idle)
            yield Job(workload.name, peer, "idle connections", take, repeat=False)

    def languages(self, workload):
        for language in bindings.LANGUAGES:
            if not bindings.absence(language):
                take = functools.partial(bindings.run, language, self.size == "quick")
                yield Job(workload.name, language.name, "its benchmarks", take)

    def jobs(self, workload):
        """The measurements of this round."""
        if not workload.noisy and self.round > workloads.ROUNDS_CALM:
            return []
        of_kind = {
            "program": self.programs,
            "echo": self.loads,
            "accept": self.accepts,
            "memory": self.memories,
            "growth": self.programs,
            "bindings": self.languages,
        }
        return [
            job
            for job in of_kind[workload.kind](workload)
            if (job.workload, job.peer) not in self.failures
        ]

    # --- rounds ---

    def attempt(self, job):
        """Takes the measurement; true when it has to be taken again."""
        before, start = machine.times(), time.monotonic()
        try:
            with machine.awake() if job.awake else contextlib.nullcontext():
                samples = job.take()
        except build.Failure as failure:
            self.fail(job.workload, job.peer, f"{job.what}: {failure}")
            job.attempts, job.samples = ATTEMPTS, []
            return False
        took = time.monotonic() - start
        steal = machine.stolen(before)
        if job.attempts == 0:
            self.first_s += took
        else:
            self.repeated += 1
            self.repeated_s += took
        job.attempts += 1
        if not job.samples or steal < job.steal:
            job.samples, job.steal = list(samples), steal
        return job.repeat and job.steal > STEAL_AT_MOST

    def run_round(self, all_workloads):
        jobs = [job for workload in all_workloads for job in self.jobs(workload)]
        try:
            self.take_all(jobs)
        finally:  # the samples are there, even of a round that was interrupted
            for job in jobs:
                more = {"round": self.round, "steal": round(job.steal, 4)}
                self.samples += [{**one, **more} for one in job.samples]
                self.disturbed += job.repeat and STEAL_AT_MOST < job.steal < 1

    def take_all(self, jobs):
        """Takes each measurement, and at the end once more those that were disturbed."""
        left, number = collections.deque(jobs), 0
        while left:
            job, number = left.popleft(), number + 1
            if (job.workload, job.peer) in self.failures:
                continue
            if job.attempts > 0 and self.repeated_s > self.first_s * REPEATED_AT_MOST:
                continue  # what there is has to do
            again = ", again" if job.attempts > 0 else ""
            build.say(
                f"round {self.round}/{self.rounds} {min(number, len(jobs))}/{len(jobs)}"
                f"  {job.workload}: {job.peer} {job.what}{again}"
            )
            if self.attempt(job) and job.attempts < ATTEMPTS and self.size != "quick":
                left.append(job)

    def run(self, all_workloads):
        for self.round in range(1, self.rounds + 1):
            self.run_round(all_workloads)

    def summary(self, workload):
        return report.summarize([one for one in self.samples if one["workload"] == workload.name])

    def repeats(self):
        """What was done about the steal, in words."""
        return (
            f"{self.repeated} measurements were repeated because of more than {STEAL_AT_MOST:.0%}"
            f" steal, and {self.disturbed} in the tables had more than that"
        )
