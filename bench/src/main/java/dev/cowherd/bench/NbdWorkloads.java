package dev.cowherd.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The NBD server, by each engine, beside QEMU's and nbdkit's; fio is the client of all. */
final class NbdWorkloads {
    private static final int BLOCK = 4096;
    private static final int LONG = 1 << 20;
    private static final int DEPTH = 32;
    /** Enough to keep two connections busy with long requests. */
    private static final int LONG_DEPTH = 8;

    private final Fixtures fixtures;
    private final Rounds rounds;
    private final double seconds;

    NbdWorkloads(Fixtures fixtures, Rounds rounds, double seconds) {
        this.fixtures = fixtures;
        this.rounds = rounds;
        this.seconds = seconds;
    }

    /** One line's requests, and what it has to reach. */
    private record Kind(String name, int blockBytes, int depth, int connections, double overQemu, double overNbdkit) {}

    private static final List<Kind> READS = List.of(
            new Kind("4 KiB random read, depth 32, 1 connection", BLOCK, DEPTH, 1, 1.2, 1.0),
            new Kind("4 KiB random read, depth 32, 2 connections", BLOCK, DEPTH, 2, 1.8, 1.0),
            new Kind("4 KiB random read, depth 1", BLOCK, 1, 1, 1.0, 1.0),
            new Kind("1 MiB random read, depth 8, 2 connections", LONG, LONG_DEPTH, 2, 1.0, 0.9));

    private static final List<Kind> WRITES = List.of(
            new Kind("4 KiB random write, depth 32, 1 connection", BLOCK, DEPTH, 1, 1.2, 1.0),
            new Kind("4 KiB random write, depth 32, 2 connections", BLOCK, DEPTH, 2, 2.5, 1.0),
            new Kind("4 KiB random write, depth 1", BLOCK, 1, 1, 1.0, 1.0));

    List<Line> reads() throws IOException {
        Path image = fixtures.plain();
        List<Line> lines = new ArrayList<>();
        for (String engine : List.of("ring", "sync")) {
            try (NbdPeers ours = ours(image, false, engine);
                    NbdPeers qemu = NbdPeers.qemu(image, fixtures.folder(), false);
                    NbdPeers nbdkit = NbdPeers.nbdkit(fixtures.raw(), fixtures.folder(), false)) {
                warm(ours, false);
                for (Kind kind : READS) {
                    lines.add(line(kind, engine, "qemu-nbd 10", kind.overQemu, ours, qemu));
                    lines.add(line(kind, engine, "nbdkit file, raw", kind.overNbdkit, ours, nbdkit));
                }
            }
        }
        lines.add(uncached(image));
        return lines;
    }

    private Line line(Kind kind, String engine, String against, double target, NbdPeers ours, NbdPeers theirs)
            throws IOException {
        return rounds.line(
                "NBD, " + engine + " engine, fio " + kind.name,
                against,
                target,
                "/s",
                () -> rate(ours, false, kind),
                () -> rate(theirs, false, kind));
    }

    /** Where the host has to wait, one request after the other wastes the client's depth. */
    private Line uncached(Path image) throws IOException {
        Kind kind = READS.get(1);
        try (NbdPeers ring = ours(image, false, "ring", "-T", "none");
                NbdPeers sync = ours(image, false, "sync", "-T", "none")) {
            warm(ring, false);
            warm(sync, false);
            return rounds.line(
                    "NBD, ring engine, -T none, fio " + kind.name,
                    "our sync engine, -T none",
                    1.0,
                    "/s",
                    () -> rate(ring, false, kind),
                    () -> rate(sync, false, kind));
        }
    }

    List<Line> writes() throws IOException {
        Path image = fixtures.plainToWrite();
        List<Line> lines = new ArrayList<>();
        for (String engine : List.of("ring", "sync")) {
            for (Kind kind : WRITES) {
                // One server at a time: both lock the image against other writers.
                Rounds.Side ours = () -> {
                    try (NbdPeers server = ours(Fixtures.dirty(image), true, engine)) {
                        warm(server, true);
                        return rate(server, true, kind);
                    }
                };
                lines.add(rounds.line(
                        "NBD, " + engine + " engine, fio " + kind.name,
                        "qemu-nbd 10",
                        kind.overQemu,
                        "/s",
                        ours,
                        () -> {
                            try (NbdPeers qemu = NbdPeers.qemu(Fixtures.dirty(image), fixtures.folder(), true)) {
                                return rate(qemu, true, kind);
                            }
                        }));
                Path raw = fixtures.rawToWrite();
                lines.add(rounds.line(
                        "NBD, " + engine + " engine, fio " + kind.name,
                        "nbdkit file, raw",
                        kind.overNbdkit,
                        "/s",
                        ours,
                        () -> {
                            try (NbdPeers nbdkit = NbdPeers.nbdkit(Fixtures.dirty(raw), fixtures.folder(), true)) {
                                return rate(nbdkit, true, kind);
                            }
                        }));
            }
        }
        return lines;
    }

    private NbdPeers ours(Path image, boolean writable, String engine, String... more) throws IOException {
        List<String> flags = new ArrayList<>(List.of("--engine=" + engine));
        flags.addAll(List.of(more));
        return NbdPeers.ours(image, fixtures.folder(), writable, "", flags.toArray(String[]::new));
    }

    /** Until what is hot has been compiled: a server lives longer than a round. */
    private void warm(NbdPeers server, boolean write) throws IOException {
        PeerRates.fioNbd(server.uri(), write, BLOCK, DEPTH, 2, Math.max(5, 2 * seconds));
    }

    private double rate(NbdPeers server, boolean write, Kind kind) throws IOException {
        return PeerRates.fioNbd(server.uri(), write, kind.blockBytes, kind.depth, kind.connections, seconds);
    }
}
