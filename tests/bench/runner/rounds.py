# SPDX-License-Identifier: MIT
"""Runs the rounds of a workload.

Every peer takes its turn in every round, so that whatever disturbs the machine disturbs all alike.
"""

import sys

from . import bindings, build, measure, peers, report, workloads


class Bench:
    def __init__(self, wanted, size, folder, rounds=None, part=1):
        self.peers, self.size, self.folder = wanted, size, folder
        self.rounds, self.part = rounds or workloads.ROUNDS[size], part
        self.load = build.build_load()
        self.certificate = build.make_certificate(folder)
        self.built = {peer.name: build.build(peer) for peer in wanted}
        self.seconds = workloads.SECONDS[self.size] / part
        self.samples, self.round = [], 0

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
        answer = []
        for peer in self.peers:
            if not self.built[peer.name]:
                answer.append((peer.name, f"has no programs yet in tests/bench/{peer.folder}/"))
                continue
            reasons = peers.ABSENT.get(peer.name, {})
            for name in workload.needs:
                if self.commands(peer, name):
                    continue
                if name not in reasons:
                    sys.exit(f"bench: {peer.name} lacks {name}; runner/peers.py gives no reason")
                answer.append((peer.name, reasons[name]))
            if workload.name == "echo" and "tls" in reasons:
                answer.append((peer.name, reasons["tls"]))
        return answer

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

    # --- rounds ---

    def progress(self, workload, rounds, what):
        build.say(f"{workload.name} {self.round}/{rounds}  {what}")

    def keep(self, samples):
        self.samples += [{**one, "round": self.round} for one in samples]

    def run_programs(self, workload, rounds):
        for program in workload.programs:
            for peer in self.peers:
                count = getattr(program, self.size) // self.part
                for variant, command in self.commands(peer, program.name).items():
                    stem = "_".join(filter(None, (program.name, variant)))
                    part = workloads.FRACTIONS.get((peer.name, stem), 1)
                    self.progress(workload, rounds, f"{peer.name} {stem}")
                    n = max(1, count // part)
                    self.keep(measure.program(command, n, workload.small_pages))

    def run_echo(self, workload, rounds):
        how = (self.certificate, self.load, self.seconds)
        for kind, peer, command in self.loaded_servers(workloads.ECHOES):
            self.progress(workload, rounds, f"{peer} {kind.name}")
            self.keep(measure.echo(peer, command, kind, *how))
            if peer in peers.BUSY and kind.mode == "echo" and kind.connections == 1:
                self.keep(measure.echo(f"{peer}-busy", command, kind, *how, mode="busy"))
        if self.round < rounds:
            return
        # Counted once: a count is not noisy.
        for kind, peer, command in self.loaded_servers(workloads.TRACED):
            self.progress(workload, rounds, f"{peer} {kind.name}, traced")
            self.keep(measure.system_calls(peer, command, kind, *how, self.folder))

    def run_accept(self, workload, rounds):
        for peer, command, _ in self.servers():
            self.progress(workload, rounds, peer)
            self.keep(measure.accept(peer, command, self.load, self.seconds))

    def run_memory(self, workload, rounds):
        self.run_programs(workload, rounds)
        for peer, command, _ in self.servers():
            self.progress(workload, rounds, f"{peer} idle connections")
            self.keep(measure.idle(peer, command, self.load, workloads.IDLE[self.size]))

    def run_bindings(self, workload, rounds):
        for language in bindings.LANGUAGES:
            if bindings.absence(language):
                continue
            self.progress(workload, rounds, language.name)
            figures = bindings.measure(language, self.size == "quick")
            self.keep(
                measure.sample("bindings", language.name, name, ns, "ns") for name, ns in figures
            )

    def run(self, workload):
        rounds = self.rounds
        if not workload.noisy:
            rounds = min(rounds, 3)
        once = {
            "program": self.run_programs,
            "echo": self.run_echo,
            "accept": self.run_accept,
            "memory": self.run_memory,
            "growth": self.run_programs,
            "bindings": self.run_bindings,
        }[workload.kind]
        for self.round in range(1, rounds + 1):
            once(workload, rounds)
        return report.summarize([one for one in self.samples if one["workload"] == workload.name])
