package dev.cowherd.check;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What a checker says of an image: numbers by the names QEMU gives them, or that it refuses. */
record Verdict(boolean refused, TreeMap<String, Long> numbers, List<String> lines, String reason) {
    private static final JsonMapper JSON = new JsonMapper();
    private static final FileOptions READ = new FileOptions(false, false, CacheMode.WRITEBACK, LockMode.NONE);

    static Verdict ofQemu(QemuImg qemu, Path image) {
        Ran ran = qemu.run("check", "-U", "-f", "qcow2", "--output=json", image.toString());
        if (!ran.out().startsWith("{")) {
            return new Verdict(true, new TreeMap<>(), List.of(), ran.err());
        }
        TreeMap<String, Long> numbers = new TreeMap<>();
        for (var property : JSON.readTree(ran.out()).properties()) {
            JsonNode value = property.getValue();
            if (value.isIntegralNumber()) {
                numbers.put(property.getKey(), value.longValue());
            }
        }
        return new Verdict(false, numbers, ran.err().lines().toList(), ran.err());
    }

    static Verdict ofOurs(Path image, int threads) throws IOException {
        List<String> lines = new ArrayList<>();
        CheckListener listener = new CheckListener() {
            @Override
            public void found(String line) {
                lines.add(line);
            }

            @Override
            public void progress(double fraction) {}
        };
        try (Storage storage = FileStorage.open(image, READ)) {
            CheckReport report = ImageCheck.run(storage, new CheckOptions(threads, 256 << 20), listener);
            return new Verdict(false, numbersOf(report), lines, String.join("\n", lines));
        } catch (ImageFormatException e) {
            return new Verdict(true, new TreeMap<>(), lines, String.valueOf(e.getMessage()));
        }
    }

    /** The numbers as they are printed: all but check-errors only where they are not 0. */
    private static TreeMap<String, Long> numbersOf(CheckReport report) {
        TreeMap<String, Long> numbers = new TreeMap<>();
        numbers.put("image-end-offset", report.imageEndOffset());
        numbers.put("total-clusters", report.totalClusters());
        numbers.put("allocated-clusters", report.allocatedClusters());
        numbers.put("fragmented-clusters", report.fragmentedClusters());
        numbers.put("compressed-clusters", report.compressedClusters());
        numbers.put("corruptions", report.corruptions());
        numbers.put("leaks", report.leaks());
        numbers.values().removeIf(number -> number == 0);
        numbers.put("check-errors", report.checkErrors());
        return numbers;
    }
}
