package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.MemoryStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is given back is used again: a disk that is written and discarded for long does not outgrow what it holds. */
class SpaceTest {
    @ParameterizedTest
    @CsvSource({"9, 1, 20000", "12, 1, 100000", "16, 4, 20000", "16, 0, 6000"})
    void cyclesOfAllocateFlushDiscardKeepTheFileSmall(int clusterBits, int flushEvery, int cycles) throws IOException {
        Template template = Template.of(Shape.plain(clusterBits));
        MemoryStorage image = new MemoryStorage(template.top.toString());
        byte[] bytes = Files.readAllBytes(template.top);
        image.write(0, Arena.ofAuto().allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes)));
        SplittableRandom random = new SplittableRandom(clusterBits);
        long cluster = 1L << clusterBits;
        long clusters = template.shape.sizeBytes() / cluster;
        MemorySegment one = Arena.ofAuto().allocate(cluster).fill((byte) 7);
        try (Disk disk = Disk.open(image.reopen(), DiskOptions.defaults().withWritable(true));
                DiskQueue queue = disk.openQueue()) {
            // All of it at first: from here on nothing more is ever held at once.
            for (long i = 0; i < clusters; i++) {
                queue.write(i * cluster, one);
            }
            queue.flush();
            long full = image.sizeBytes();
            for (int i = 0; i < cycles; i++) {
                long at = random.nextLong(clusters) * cluster;
                if (i % 3 == 0) {
                    queue.writeZeroes(at, cluster, ZeroMode.MAY_UNMAP);
                } else {
                    queue.discard(at, cluster);
                }
                if (flushEvery > 0 && i % flushEvery == 0) {
                    queue.flush();
                }
                queue.write(at, one);
            }
            queue.flush();
            // Between two flushes discarded clusters wait for their unlink to be durable, and new ones are taken
            // meanwhile;
            // for a guest that never flushes a round is made now and then.
            long waiting = flushEvery == 0 ? 160 << 20 : (flushEvery + 1L) * cluster;
            assertThat(image.sizeBytes()).as("bytes of the file").isLessThan(full * 105 / 100 + waiting);
        }
    }
}
