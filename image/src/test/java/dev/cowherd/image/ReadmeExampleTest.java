package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Proves that the README's example is code that compiles and reads what it says. */
final class ReadmeExampleTest {
    @TempDir
    Path folder;

    @Test
    void everyQueueReadsTheSameByte() throws IOException, InterruptedException, ExecutionException {
        byte[] bytes = new byte[4 << 20];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (1 + (i >> 20));
        }
        Path image = Files.write(folder.resolve("disk.raw"), bytes);
        DiskOptions options = DiskOptions.defaults().withFormat(ImageFormat.RAW);
        // README begins
        try (Disk disk = Disk.open(image, options);
                var threads = Executors.newFixedThreadPool(4)) {
            Callable<Byte> firstByte = () -> {
                try (DiskQueue queue = disk.openQueue(); // one queue a thread
                        Arena arena = Arena.ofConfined()) {
                    MemorySegment buffer = arena.allocate(65536);
                    queue.read(disk.sizeBytes() / 2, buffer); // guest offset in bytes; fills the segment
                    return buffer.get(ValueLayout.JAVA_BYTE, 0);
                }
            };
            List<Future<Byte>> answers = threads.invokeAll(List.of(firstByte, firstByte, firstByte, firstByte));
            // README ends
            for (Future<Byte> answer : answers) {
                assertThat(answer.get()).isEqualTo((byte) 3);
            }
        }
    }

    @Test
    void theReadmeShowsThatCode() throws IOException {
        Path root = Path.of("").toAbsolutePath();
        while (!Files.exists(root.resolve("README.md"))) {
            root = Objects.requireNonNull(root.getParent(), "not inside the project");
        }
        String readme = Files.readString(root.resolve("README.md"));
        String own = Files.readString(root.resolve("image/src/test/java/dev/cowherd/image/ReadmeExampleTest.java"));
        String shown = readme.substring(readme.indexOf("```java\n") + 8);
        shown = shown.substring(0, shown.indexOf("```"));
        String code = own.substring(own.indexOf("// README begins") + 16, own.indexOf("// README ends"));
        List<String> wanted =
                code.lines().map(String::strip).filter(l -> !l.isEmpty()).toList();
        assertThat(shown.lines().map(String::strip).toList()).containsSubsequence(wanted);
    }
}
