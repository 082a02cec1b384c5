package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Processes;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The peers of the ring engine, each at its best: reads a second of 4 KiB anywhere, 32 in flight. */
final class RingPeers {
    private static final Pattern COMPLETED = Pattern.compile("Run completed in ([0-9.]+) seconds");
    /** Field of fio's terse version 3 line that holds reads a second. */
    private static final int TERSE_READ_IOPS = 7;

    private static final int BLOCK = 4096;
    /** Requests that fio hands over, and takes back, at a time. */
    static final List<Integer> BATCHES = List.of(1, 8, 16);

    private final double seconds;
    private final int qemuRequests;
    /** The batch that was fastest, by whether the page cache is passed by and how many jobs there are. */
    private final Map<String, Integer> best = new HashMap<>();

    private final Map<Path, String> bestAio = new HashMap<>();

    RingPeers(double seconds, int qemuRequests) {
        this.seconds = seconds;
        this.qemuRequests = qemuRequests;
    }

    /** fio with the batch that is fastest here, found at the first call. */
    double fio(Path raw, boolean direct, int jobs) throws IOException {
        String key = direct + " " + jobs;
        Integer batch = best.get(key);
        if (batch == null) {
            batch = fastestBatch(raw, direct, jobs);
            best.put(key, batch);
        }
        return fio(raw, direct, jobs, batch);
    }

    private int fastestBatch(Path raw, boolean direct, int jobs) throws IOException {
        int fastest = BATCHES.getFirst();
        double most = 0;
        for (int batch : BATCHES) {
            double rate = fio(raw, direct, jobs, batch);
            if (rate > most) {
                most = rate;
                fastest = batch;
            }
        }
        return fastest;
    }

    private double fio(Path raw, boolean direct, int jobs, int batch) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "fio",
                "--name=bench",
                "--filename=" + raw,
                "--readonly",
                "--rw=randread",
                "--bs=4k",
                "--ioengine=io_uring",
                "--registerfiles=1",
                "--fixedbufs=1",
                "--iodepth=32",
                "--iodepth_batch_submit=" + batch,
                "--iodepth_batch_complete_min=1",
                "--iodepth_batch_complete_max=" + batch,
                "--direct=" + (direct ? 1 : 0),
                "--numjobs=" + jobs,
                // It reads no clock for each request then, as we do not.
                "--gtod_reduce=1",
                "--norandommap",
                "--randrepeat=0",
                // Else it would drop the file from the page cache first.
                "--invalidate=0"));
        command.addAll(List.of(
                "--time_based",
                String.format(Locale.ROOT, "--runtime=%ds", Math.max(1, Math.round(seconds))),
                "--group_reporting",
                "--output-format=terse",
                "--terse-version=3"));
        for (String line : Processes.run(command.toArray(String[]::new)).lines().toList()) {
            String[] fields = line.split(";", -1);
            if (fields.length > TERSE_READ_IOPS && fields[0].equals("3")) {
                return Double.parseDouble(fields[TERSE_READ_IOPS]);
            }
        }
        throw new IOException("fio printed no result");
    }

    /** qemu-img bench past the page cache, by the better of its two ways, found at the first call. */
    double qemuImgBench(Path image) throws IOException {
        String aio = bestAio.get(image);
        if (aio == null) {
            aio = qemuImgBench(image, "io_uring") > qemuImgBench(image, "native") ? "io_uring" : "native";
            bestAio.put(image, aio);
        }
        return qemuImgBench(image, aio);
    }

    private double qemuImgBench(Path image, String aio) throws IOException {
        String printed = Processes.run(
                Processes.qemu10("qemu-img").toString(),
                "bench",
                "-U",
                "-f",
                "qcow2",
                "-t",
                "none",
                "-i",
                aio,
                "-d",
                "32",
                "-c",
                Integer.toString(qemuRequests),
                "-s",
                Integer.toString(BLOCK),
                // It draws no offsets: a stride that no read-ahead follows.
                "-S",
                Long.toString(BLOCK * 5077L),
                image.toString());
        Matcher matcher = COMPLETED.matcher(printed);
        if (!matcher.find()) {
            throw new IOException("qemu-img bench printed no time");
        }
        return qemuRequests / Double.parseDouble(matcher.group(1));
    }
}
