package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Unaligned writers under O_DIRECT do not undo their neighbours. */
class DirectStorageTest {
    private static final int THREADS = 4;

    @TempDir
    Path folder;

    private Storage open() throws IOException {
        return FileStorage.open(folder.resolve("file"), FileOptions.creating().withCacheMode(CacheMode.NONE));
    }

    private interface Work {
        void run(Storage own, int thread) throws Exception;
    }

    private static void inParallel(Storage storage, Work work) throws Exception {
        CyclicBarrier start = new CyclicBarrier(THREADS);
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                int id = t;
                all.add(threads.submit(() -> {
                    try (Storage own = storage.reopen()) {
                        start.await();
                        work.run(own, id);
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
    }

    @Test
    void writersOfNeighbouringBytesInOneBlockEachKeepTheirs() throws Exception {
        int stripe = 7;
        int rounds = 150;
        try (Storage storage = open()) {
            storage.truncate(65536);
            inParallel(storage, (own, thread) -> {
                MemorySegment bytes = Arena.ofAuto().allocate(stripe).fill((byte) (thread + 1));
                for (int i = 0; i < rounds; i++) {
                    own.write((long) (i * THREADS + thread) * stripe, bytes);
                }
            });
            MemorySegment all = Arena.ofAuto().allocate((long) rounds * THREADS * stripe);
            assertThat(storage.read(0, all)).isEqualTo(all.byteSize());
            for (int i = 0; i < all.byteSize(); i++) {
                assertThat(all.get(ValueLayout.JAVA_BYTE, i)).as("byte %d", i).isEqualTo((byte)
                        (i / stripe % THREADS + 1));
            }
        }
    }

    /** Handle one has read the block that it will change and is held there; handle two must not get its own bytes in meanwhile. */
    @Test
    void aNeighboursSectorWrittenWhileABlockIsReadAndWrittenBackIsNotUndone() throws Exception {
        HeldKernel kernel = new HeldKernel();
        FileOptions options = FileOptions.creating().withCacheMode(CacheMode.NONE);
        try (Storage first = FileStorage.open(folder.resolve("file"), options, null, kernel);
                Storage second = first.reopen()) {
            int part = first.preferredAlignment() / 8;
            first.truncate(first.preferredAlignment());
            kernel.held = true;
            Thread one = writing(first, 0, part, 1);
            kernel.insideRead.await();
            Thread two = writing(second, part, part, 2);
            while (two.isAlive() && two.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
            }
            kernel.goOn.countDown();
            one.join();
            two.join();
            MemorySegment found = Arena.ofAuto().allocate(3L * part);
            first.read(0, found);
            for (int i = 0; i < found.byteSize(); i++) {
                assertThat(found.get(ValueLayout.JAVA_BYTE, i)).as("byte %d", i).isEqualTo((byte)
                        new int[] {1, 2, 0}[i / part]);
            }
        }
    }

    private static Thread writing(Storage storage, long offset, int length, int value) {
        MemorySegment bytes = Arena.ofAuto().allocate(length).fill((byte) value);
        return Thread.ofPlatform().start(() -> {
            try {
                storage.write(offset, bytes);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    /** The kernel; the first read after {@link #held} is set has its bytes, and is then held until told to go on. */
    private static final class HeldKernel extends PassingCalls {
        final CountDownLatch insideRead = new CountDownLatch(1);
        final CountDownLatch goOn = new CountDownLatch(1);
        volatile boolean held;

        @Override
        public long pread(int fd, MemorySegment buffer, long offset) {
            long result = super.pread(fd, buffer, offset);
            if (held) {
                held = false;
                insideRead.countDown();
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
            return result;
        }
    }

    @Test
    void anAlignedWriteBesideAnUnalignedOneOfTheSameBlockIsNotUndone() throws Exception {
        try (Storage storage = open()) {
            int block = storage.preferredAlignment();
            storage.truncate(64L * block);
            inParallel(storage, (own, thread) -> {
                MemorySegment whole = Arena.ofAuto().allocate(block, block).fill((byte) 9);
                MemorySegment part = Arena.ofAuto().allocate(3).fill((byte) 5);
                for (int i = 0; i < 64; i++) {
                    if (thread % 2 == 0) {
                        own.write((long) i * block, whole);
                    } else {
                        own.write((long) i * block + 10L * thread, part);
                    }
                }
            });
            MemorySegment all = Arena.ofAuto().allocate(64L * block);
            storage.read(0, all);
            for (int i = 0; i < all.byteSize(); i++) {
                int place = i % block;
                boolean shared = (place >= 10 && place < 13) || (place >= 30 && place < 33);
                byte found = all.get(ValueLayout.JAVA_BYTE, i);
                assertThat(found == 9 || (shared && found == 5))
                        .as("byte %d is %d", i, found)
                        .isTrue();
            }
        }
    }

    @Test
    void writersThatGrowTheFileToOddSizesLoseNothing() throws Exception {
        int length = 1001;
        int rounds = 40;
        try (Storage storage = open()) {
            inParallel(storage, (own, thread) -> {
                MemorySegment bytes = Arena.ofAuto().allocate(length).fill((byte) (thread + 1));
                for (int i = 0; i < rounds; i++) {
                    own.write((long) (i * THREADS + thread) * length, bytes);
                }
            });
            assertThat(storage.sizeBytes()).isEqualTo((long) rounds * THREADS * length);
        }
        byte[] all = Files.readAllBytes(folder.resolve("file"));
        for (int i = 0; i < all.length; i++) {
            assertThat(all[i]).as("byte %d", i).isEqualTo((byte) (i / length % THREADS + 1));
        }
    }

    @Test
    void theAlignmentFoundByTryingIsEnoughForTheKernel() throws IOException {
        Path file = Files.write(folder.resolve("tried"), new byte[65536]);
        FileOptions options = FileOptions.reading().withCacheMode(CacheMode.NONE);
        Descriptors.Access access = new Descriptors.Access(file.toString(), options);
        int fd = access.open().fd();
        try {
            int tried = DirectAlignment.byTrial(fd, 65536);
            assertThat(tried).isBetween(512, 4096);
            assertThat(DirectAlignment.byTrial(fd, 100)).isEqualTo(4096);
            assertThat(DirectAlignment.probe(fd)).isLessThanOrEqualTo(4096);
            assertThat(Integer.bitCount(DirectAlignment.probe(fd))).isEqualTo(1);
        } finally {
            dev.cowherd.storage.linux.Libc.HOST.close(fd);
        }
    }
}
