package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is given back is used again: a disk that is written and discarded for long does not outgrow what it holds. */
@EachEngine
class SpaceTest {
    /** Of the ring engine, guests at once. */
    private static final int FIBERS = 4;

    @TempDir
    Path folder;

    private final Engine engine;

    SpaceTest(Engine engine) {
        this.engine = engine;
    }

    @ParameterizedTest
    @CsvSource({"9, 1, 20000", "12, 1, 100000", "16, 4, 20000", "16, 0, 6000"})
    void cyclesOfAllocateFlushDiscardKeepTheFileSmall(int clusterBits, int flushEvery, int cycles) throws IOException {
        Template template = Template.of(Shape.plain(clusterBits));
        long cluster = 1L << clusterBits;
        long clusters = template.shape.sizeBytes() / cluster;
        try (Storage image = image(template.top);
                Disk disk = Disk.open(
                        image.reopen(), Guests.byRing(DiskOptions.defaults().withWritable(true)))) {
            // All of it at first: from here on nothing more is ever held at once.
            fill(disk, cluster, clusters);
            long full = image.sizeBytes();
            if (engine == Engine.SYNC) {
                try (DiskQueue queue = disk.openQueue()) {
                    new Cycles(cluster, 0, clusters, flushEvery, cycles, clusterBits).run(queue);
                }
            } else {
                long share = clusters / FIBERS;
                try (RequestQueue queue = disk.openRequestQueue(FIBERS)) {
                    assertThat(queue.engine()).isEqualTo(Engine.RING);
                    for (int i = 0; i < FIBERS; i++) {
                        Cycles mine = new Cycles(
                                cluster, i * share, share, flushEvery, cycles / FIBERS, clusterBits + 100L * i);
                        queue.submit(new Request.Work(i, mine));
                    }
                    queue.await(FIBERS, (token, failure) -> assertThat(failure).isNull());
                }
            }
            assertThat(image.sizeBytes())
                    .as("bytes of the file, which was %d when the disk was full", full)
                    .isLessThanOrEqualTo(full * 105 / 100 + waiting(flushEvery, cluster));
        }
    }

    /**
     * What may be in the file besides: between two flushes discarded clusters wait for their unlink to be durable, and new ones are taken
     * meanwhile. A guest that flushes in each cycle has no more waiting than the 5 percent; one that never flushes has until a round is
     * made because much of the cache is dirty.
     */
    private long waiting(int flushEvery, long cluster) {
        int guests = engine == Engine.SYNC ? 1 : FIBERS;
        return switch (flushEvery) {
            case 0 -> 160L << 20;
            case 1 -> 0;
            default -> (long) guests * flushEvery * cluster;
        };
    }

    /** In memory where each operation is done at once anyway; for a ring, a file whose barriers cost nothing. */
    private Storage image(Path template) throws IOException {
        if (engine == Engine.RING) {
            Path copy = Files.copy(template, folder.resolve("disk.qcow2"), StandardCopyOption.REPLACE_EXISTING);
            return FileStorage.open(
                    copy, FileOptions.writing().withCacheMode(CacheMode.UNSAFE).withLock(LockMode.NONE));
        }
        MemoryStorage image = new MemoryStorage(template.toString());
        byte[] bytes = Files.readAllBytes(template);
        image.write(0, Arena.ofAuto().allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes)));
        return image;
    }

    private static void fill(Disk disk, long cluster, long clusters) throws IOException {
        try (DiskQueue queue = disk.openQueue()) {
            MemorySegment one = Arena.ofAuto().allocate(cluster).fill((byte) 7);
            for (long i = 0; i < clusters; i++) {
                queue.write(i * cluster, one);
            }
            queue.flush();
        }
    }

    /** What one guest does with clusters of its own. */
    private record Cycles(long cluster, long first, long clusters, int flushEvery, int count, long seed)
            implements Request.Task {
        @Override
        public void run(DiskQueue queue) throws IOException {
            SplittableRandom random = new SplittableRandom(seed);
            MemorySegment one = Arena.ofAuto().allocate(cluster).fill((byte) 7);
            for (int i = 0; i < count; i++) {
                long at = (first + random.nextLong(clusters)) * cluster;
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
        }
    }
}
