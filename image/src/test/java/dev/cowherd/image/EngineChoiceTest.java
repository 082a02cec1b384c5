package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where the ring engine cannot be had, AUTO works without it and says once why, and RING refuses in one line. */
@Timeout(120)
class EngineChoiceTest {
    @TempDir
    Path folder;

    /** What an attempt with each engine said, one line each. */
    private static List<String> attempts(Path image) throws IOException {
        List<String> lines = new ArrayList<>();
        DiskOptions options = DiskOptions.defaults().withWritable(true).withWarnings(line -> lines.add("said " + line));
        try (Disk disk = Disk.open(image, options.withEngine(Engine.AUTO))) {
            for (int i = 0; i < 2; i++) {
                try (RequestQueue queue = disk.openRequestQueue(4)) {
                    lines.add(queue.engine() + " " + writtenAndRead(queue));
                }
            }
        }
        try (Disk disk = Disk.open(image, options.withEngine(Engine.RING));
                RequestQueue queue = disk.openRequestQueue(4)) {
            lines.add("opened " + queue.engine());
        } catch (IOException e) {
            lines.add("refused " + e.getMessage());
        }
        return lines;
    }

    private static boolean writtenAndRead(RequestQueue queue) throws IOException {
        MemorySegment written = Arena.ofAuto().allocate(4096).fill((byte) 9);
        MemorySegment read = Arena.ofAuto().allocate(4096);
        List<Throwable> failures = new ArrayList<>();
        for (Request request : List.of(new Request.Write(1, 512, written), new Request.Read(2, 512, read))) {
            queue.submit(request);
            queue.await(1, (token, failure) -> {
                if (failure != null) {
                    failures.add(failure);
                }
            });
        }
        return failures.isEmpty() && read.mismatch(written) < 0;
    }

    /** One request at a time has nothing to wait for side by side, and costs less by system calls. */
    @ParameterizedTest
    @CsvSource({
        "AUTO, 1, WRITEBACK, SYNC",
        "AUTO, 2, WRITEBACK, RING",
        "AUTO, 1, NONE, SYNC",
        "AUTO, 2, NONE, RING",
        "RING, 1, WRITEBACK, RING",
        "SYNC, 32, NONE, SYNC"
    })
    void autoTakesTheRingWhereItGains(Engine asked, int depth, CacheMode mode, Engine expected) throws IOException {
        assumeTrue(dev.cowherd.storage.fiber.FiberLoop.refusal().isEmpty());
        DiskOptions options = DiskOptions.defaults().withEngine(asked).withCacheMode(mode);
        try (Disk disk = Disk.open(image(), options);
                RequestQueue queue = disk.openRequestQueue(depth)) {
            assertThat(queue.engine()).isEqualTo(expected).isEqualTo(disk.queueEngine(depth));
        }
    }

    private Path image() throws IOException {
        Path image = folder.resolve("disk.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 20).build());
        return image;
    }

    private static void assertTold(List<String> lines, String why) {
        assertThat(lines).hasSize(4).noneMatch(line -> line.contains("\n"));
        assertThat(lines.get(0))
                .startsWith("said using system calls instead of io_uring: ")
                .contains(why);
        assertThat(lines.subList(1, 3)).containsExactly("SYNC true", "SYNC true");
        assertThat(lines.get(3))
                .startsWith("refused the ring engine cannot be had: ")
                .contains(why);
    }

    @ParameterizedTest
    @CsvSource({"425, 1, refuses io_uring_setup", "425, 38, ENOSYS", "426, 1, refuses io_uring_enter"})
    void aRealSandboxLeavesSystemCalls(int call, int errno, String why) throws Exception {
        assumeTrue(dev.cowherd.storage.fiber.FiberLoop.refusal().isEmpty());
        Path image = image();
        FutureTask<List<String>> inside = new FutureTask<>(() -> {
            assumeTrue(Sandbox.refuse(call, errno), "no filters of system calls here");
            return attempts(image);
        });
        Thread.ofPlatform().start(inside).join();
        assertTold(inside.get(), why);
        assertThat(dev.cowherd.storage.fiber.FiberLoop.refusal())
                .as("outside the sandbox")
                .isEmpty();
    }

    @Test
    void aJvmThatKeepsItsCoroutinesToItselfLeavesSystemCalls() throws Exception {
        Process child = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        InChild.class.getName(),
                        image().toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertTold(output.lines().toList(), "the JVM was started without --add-exports java.base/jdk.internal.vm=");
    }

    /** The JVM that was started without the flag. */
    static final class InChild {
        private InChild() {}

        public static void main(String[] image) throws IOException {
            PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
            attempts(Path.of(image[0])).forEach(out::println);
        }
    }
}
