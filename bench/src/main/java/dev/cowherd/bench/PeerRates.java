package dev.cowherd.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the peers' own benchmarks say, as requests a second. */
final class PeerRates {
    private static final Pattern COMPLETED = Pattern.compile("Run completed in ([0-9.]+) seconds");
    /** Field of fio's terse version 3 line that holds reads a second. */
    private static final int TERSE_READ_IOPS = 7;
    /** The same of writes. */
    private static final int TERSE_WRITE_IOPS = 48;

    private PeerRates() {}

    /**
     * The better of qemu-img bench's ways to do I/O on the page cache. It cannot draw offsets at random: a stride of many
     * clusters, coprime to the disk, visits blocks in an order that no read-ahead follows.
     */
    static double qemuImgBench(Path image, int blockBytes, boolean random, int requests) throws IOException {
        long step = random ? blockBytes * 5077L : blockBytes;
        double threads = qemuImgBench(image, "threads", requests, blockBytes, step, List.of("-U"));
        return Math.max(threads, qemuImgBench(image, "io_uring", requests, blockBytes, step, List.of("-U")));
    }

    /** The same for writes all over an image whose clusters are allocated. */
    static double qemuImgBenchOverwrite(Path image, int blockBytes, int requests) throws IOException {
        long step = blockBytes * 5077L;
        double best = 0;
        for (String aio : List.of("threads", "io_uring")) {
            Fixtures.dirty(image);
            best = Math.max(best, qemuImgBench(image, aio, requests, blockBytes, step, List.of("-w")));
        }
        return best;
    }

    /**
     * One run of qemu-img bench.
     *
     * @param aio {@code threads} or {@code io_uring}
     * @param more further flags
     * @return requests a second
     */
    static double qemuImgBench(Path image, String aio, int requests, int blockBytes, long stepBytes, List<String> more)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Processes.qemu10("qemu-img").toString(), "bench", "-f", "qcow2", "-t", "writeback", "-d", "32"));
        command.addAll(List.of("-i", aio, "-c", Integer.toString(requests)));
        command.addAll(List.of("-s", Integer.toString(blockBytes), "-S", Long.toString(stepBytes)));
        command.addAll(more);
        command.add(image.toString());
        Matcher matcher = COMPLETED.matcher(Processes.run(command.toArray(String[]::new)));
        if (!matcher.find()) {
            throw new IOException("qemu-img bench printed no time");
        }
        return requests / Double.parseDouble(matcher.group(1));
    }

    /** fio, one synchronous job on the raw file. */
    static double fioPsync(Path raw, double seconds) throws IOException {
        return fio(
                TERSE_READ_IOPS,
                seconds,
                "--rw=randread",
                "--bs=4k",
                "--ioengine=psync",
                "--filename=" + raw,
                "--numjobs=1",
                "--readonly");
    }

    /**
     * fio as an NBD client, at random places.
     *
     * @param write whether it writes; else it reads
     * @param blockBytes bytes a request
     * @param depth requests in flight on each connection
     * @param connections one a job
     * @return requests a second
     */
    static double fioNbd(String uri, boolean write, int blockBytes, int depth, int connections, double seconds)
            throws IOException {
        return fio(
                write ? TERSE_WRITE_IOPS : TERSE_READ_IOPS,
                seconds,
                "--bs=" + blockBytes,
                write ? "--rw=randwrite" : "--rw=randread",
                "--ioengine=nbd",
                "--uri=" + uri,
                "--numjobs=" + connections,
                "--iodepth=" + depth);
    }

    private static double fio(int field, double seconds, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "fio",
                "--name=bench",
                "--norandommap",
                // fio would drop the file from the page cache first, and every line after it would read from the
                // device.
                "--invalidate=0",
                "--randrepeat=0",
                "--time_based",
                String.format(Locale.ROOT, "--runtime=%ds", Math.max(1, Math.round(seconds))),
                "--group_reporting",
                "--output-format=terse",
                "--terse-version=3"));
        command.addAll(List.of(options));
        for (String line : Processes.run(command.toArray(String[]::new)).lines().toList()) {
            String[] fields = line.split(";", -1);
            if (fields.length > field && fields[0].equals("3")) {
                return Double.parseDouble(fields[field]);
            }
        }
        throw new IOException("fio printed no result");
    }
}
