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

    private PeerRates() {}

    /**
     * The best of qemu-img bench's ways to do I/O on the page cache. It cannot draw offsets at random: a stride of many
     * clusters, coprime to the disk, visits blocks in an order that no read-ahead follows.
     */
    static double qemuImgBench(Path image, int blockBytes, boolean random, int requests) throws IOException {
        double best = 0;
        for (String aio : List.of("threads", "io_uring")) {
            List<String> command = new ArrayList<>(List.of(
                    Processes.qemu10("qemu-img").toString(),
                    "bench",
                    "-f",
                    "qcow2",
                    "-U",
                    "-i",
                    aio,
                    "-t",
                    "writeback",
                    "-c",
                    Integer.toString(requests),
                    "-d",
                    "32",
                    "-s",
                    Integer.toString(blockBytes)));
            if (random) {
                command.addAll(List.of("-S", Long.toString(blockBytes * 5077L)));
            }
            command.add(image.toString());
            Matcher matcher = COMPLETED.matcher(Processes.run(command.toArray(String[]::new)));
            if (!matcher.find()) {
                throw new IOException("qemu-img bench printed no time");
            }
            best = Math.max(best, requests / Double.parseDouble(matcher.group(1)));
        }
        return best;
    }

    /** fio, one synchronous job on the raw file. */
    static double fioPsync(Path raw, double seconds) throws IOException {
        return fio(seconds, "--ioengine=psync", "--filename=" + raw, "--numjobs=1", "--readonly");
    }

    /** fio as an NBD client: one connection a job, 32 requests in flight on each. */
    static double fioNbd(String uri, int connections, double seconds) throws IOException {
        return fio(seconds, "--ioengine=nbd", "--uri=" + uri, "--numjobs=" + connections, "--iodepth=32");
    }

    private static double fio(double seconds, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "fio",
                "--name=bench",
                "--rw=randread",
                "--bs=4k",
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
            if (fields.length > TERSE_READ_IOPS && fields[0].equals("3")) {
                return Double.parseDouble(fields[TERSE_READ_IOPS]);
            }
        }
        throw new IOException("fio printed no result");
    }
}
