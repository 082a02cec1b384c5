package dev.cowherd.storage.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.ring.Ring;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Many operations at once, over a ring and without, give what blocking ones one after the other would. */
@Timeout(120)
class HostQueueTest {
    private static final int SIZE = 1 << 20;
    private static final int STRIPE = 7;

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofConfined();
    private final Outcomes outcomes = new Outcomes();
    private Ring ring;

    @BeforeEach
    void open() throws IOException {
        assumeTrue(Ring.probe().isEmpty());
        ring = Ring.open(RingOptions.ofEntries(32));
    }

    @AfterEach
    void close() throws IOException {
        if (ring != null) {
            ring.close();
        }
        arena.close();
    }

    private Storage file(CacheMode mode) throws IOException {
        return FileStorage.open(
                folder.resolve("file"),
                FileOptions.creating().withCacheMode(mode).withLock(LockMode.NONE));
    }

    private MemorySegment random(SplittableRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return arena.allocate(Math.max(1, length), 4096).asSlice(0, length).copyFrom(MemorySegment.ofArray(bytes));
    }

    private static byte[] contents(Storage storage) throws IOException {
        try (Arena brief = Arena.ofConfined()) {
            MemorySegment room = brief.allocate(SIZE, 4096);
            assertThat(storage.read(0, room)).isEqualTo(SIZE);
            return room.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Operations in flight that do not touch one another: places in the file, and what is to be read there. */
    private static final class Flights implements HostCompletions {
        private final long[] from = new long[32];
        private final long[] to = new long[32];
        private final MemorySegment[][] reads = new MemorySegment[32][];
        private final byte[] model = new byte[SIZE];
        private int completed;

        boolean isFree(long start, long end) {
            for (int i = 0; i < from.length; i++) {
                if (start < to[i] && from[i] < end) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void completed(long token, long bytes) {
            int slot = (int) token;
            MemorySegment[] read = reads[slot];
            if (read != null) {
                assertThat(bytes).isEqualTo(to[slot] - from[slot]);
                long at = from[slot];
                for (MemorySegment part : read) {
                    byte[] expected = Arrays.copyOfRange(model, (int) at, (int) (at + part.byteSize()));
                    assertThat(part.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);
                    at += part.byteSize();
                }
                reads[slot] = null;
            }
            to[slot] = 0;
            completed++;
        }

        @Override
        public void failed(long token, IOException failure) {
            throw new AssertionError("token " + token, failure);
        }
    }

    @ParameterizedTest
    @CsvSource({"WRITEBACK, true", "NONE, true", "WRITEBACK, false", "NONE, false", ", true"})
    void randomOperationsAtOnceAgreeWithAnArray(CacheMode mode, boolean overRing) throws IOException {
        long seed = Long.getLong("cowherd.seed", System.nanoTime());
        System.out.println("HostQueueTest seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        Flights flights = new Flights();
        try (Storage storage = mode == null ? new MemoryStorage("memory") : file(mode);
                HostQueue queue = overRing ? HostQueue.over(ring) : HostQueue.blocking()) {
            storage.truncate(SIZE);
            HostFile file = queue.attach(storage);
            assertThat(file.isOnRing()).isEqualTo(overRing && mode != null);
            for (int step = 0; step < 3000; step++) {
                int slot = 0;
                while (flights.to[slot] != 0) {
                    slot++;
                }
                int shift = new int[] {0, 9, 12}[random.nextInt(3)];
                int from = random.nextInt(SIZE) >> shift << shift;
                int to = Math.min(SIZE, from + ((1 + (random.nextInt(40_000) >> shift)) << shift));
                if (flights.isFree(from, to)) {
                    flights.from[slot] = from;
                    flights.to[slot] = to;
                    submit(random, file, flights, slot);
                }
                if (queue.inFlight() == 32 || random.nextInt(8) == 0) {
                    queue.poll(random.nextInt(32), flights);
                }
            }
            while (queue.inFlight() > 0) {
                queue.poll(1, flights);
            }
            assertThat(flights.completed).isGreaterThan(1000);
            file.sync(0);
            queue.poll(1, flights);
            file.detach();
            assertThat(contents(storage)).isEqualTo(flights.model);
        } catch (AssertionError | IOException e) {
            throw new AssertionError("seed " + seed + " (-Dcowherd.seed)", e);
        }
    }

    private void submit(SplittableRandom random, HostFile file, Flights flights, int slot) throws IOException {
        long from = flights.from[slot];
        int length = (int) (flights.to[slot] - from);
        int cut = random.nextInt(length + 1) & -512;
        MemorySegment bytes = random(random, length);
        MemorySegment[] two = {bytes.asSlice(0, cut), bytes.asSlice(cut)};
        int kind = random.nextInt(6);
        if (kind < 2) {
            flights.reads[slot] = two;
        } else if (kind < 4) {
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, 0, flights.model, (int) from, length);
        } else {
            Arrays.fill(flights.model, (int) from, (int) from + length, (byte) 0);
        }
        switch (kind) {
            case 0 -> {
                flights.reads[slot] = new MemorySegment[] {bytes};
                file.read(from, bytes, slot);
            }
            case 1 -> file.readv(from, two, 2, slot);
            case 2 -> file.write(from, bytes, slot);
            case 3 -> file.writev(from, two, 2, slot);
            case 4 -> file.punchHole(from, length, slot);
            default -> file.zero(from, length, slot);
        }
    }

    /** The blocking call waits for blocks that others hold: made while the queue itself holds some, it would wait for ever. */
    @Test
    void unalignedDirectWritesInOneBlockAllArrive() throws IOException {
        try (Storage storage = file(CacheMode.NONE);
                HostQueue queue = HostQueue.over(ring)) {
            storage.truncate(65536);
            HostFile file = queue.attach(storage);
            MemorySegment[] pieces = new MemorySegment[256];
            for (int i = 0; i < pieces.length; i++) {
                pieces[i] = arena.allocate(256).fill((byte) i);
                file.write(i * 256L, pieces[i], i);
                if (i % 16 == 0) {
                    file.write(65536 + i * 4096L, arena.allocate(4096, 4096), 1000 + i);
                }
            }
            queue.poll(Integer.MAX_VALUE, outcomes);
            assertThat(outcomes.count()).isEqualTo(256 + 16);
            MemorySegment all = arena.allocate(65536, 4096);
            storage.read(0, all);
            for (int i = 0; i < pieces.length; i++) {
                assertThat(all.asSlice(i * 256L, 256).mismatch(pieces[i]))
                        .as("piece %d", i)
                        .isEqualTo(-1);
            }
            file.detach();
        }
    }

    @Test
    void queuesOfSeveralThreadsKeepEachOthersBytesUnderDirectAccess() throws Exception {
        int threads = 4;
        int rounds = 300;
        try (Storage storage = file(CacheMode.NONE);
                ExecutorService all = Executors.newFixedThreadPool(threads)) {
            storage.truncate(SIZE);
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int id = t;
                running.add(all.submit(() -> {
                    writeStripes(storage, id, threads, rounds);
                    return null;
                }));
            }
            for (Future<?> one : running) {
                one.get();
            }
            byte[] found = contents(storage);
            for (int i = 0; i < rounds * threads * STRIPE; i++) {
                assertThat(found[i]).as("byte %d", i).isEqualTo((byte) (i / STRIPE % threads + 1));
            }
            for (int t = 0; t < threads; t++) {
                int from = SIZE / 2 + t * 65536;
                assertThat(Arrays.copyOfRange(found, from, from + 65536)).containsOnly(t + 1);
            }
        }
    }

    /** Every thread's odd bytes lie in every block of the first part, and whole blocks of its own in the second. */
    private static void writeStripes(Storage storage, int id, int threads, int rounds) throws IOException {
        Outcomes done = new Outcomes();
        try (Storage own = storage.reopen();
                Arena memory = Arena.ofConfined();
                Ring ring = Ring.open(RingOptions.ofEntries(16));
                HostQueue queue = HostQueue.over(ring)) {
            HostFile file = queue.attach(own);
            MemorySegment bytes = memory.allocate(4096, 4096).fill((byte) (id + 1));
            for (int i = 0; i < rounds; i++) {
                file.write((long) (i * threads + id) * STRIPE, bytes.asSlice(0, STRIPE), i);
                file.write(SIZE / 2 + id * 65536L + i % 16 * 4096L, bytes, rounds + i);
                if (queue.inFlight() > 16) {
                    queue.poll(8, done);
                }
            }
            queue.poll(Integer.MAX_VALUE, done);
            assertThat(done.count()).isEqualTo(2 * rounds);
            for (int token = 0; token < 2 * rounds; token++) {
                assertThat(done.of(token)).isPositive();
            }
            file.detach();
        }
    }

    @Test
    void oneEntryOfTheKernelServesAllOperationsOfAPoll() throws IOException {
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = HostQueue.over(ring)) {
            storage.truncate(SIZE);
            HostFile file = queue.attach(storage);
            long before = ring.enters();
            for (int i = 0; i < 32; i++) {
                file.read(i * 4096L, arena.allocate(4096), i);
            }
            assertThat(queue.poll(32, outcomes)).isEqualTo(32);
            assertThat(ring.enters() - before).isEqualTo(1);
            file.detach();
        }
    }

    @Test
    void aReadOverTheEndIsShortAndFailuresNameCallPlaceAndFile() throws IOException {
        file(CacheMode.WRITEBACK).close();
        Storage storage =
                FileStorage.open(folder.resolve("file"), FileOptions.reading().withLock(LockMode.NONE));
        try (Storage writer = file(CacheMode.WRITEBACK)) {
            writer.write(0, arena.allocate(5000).fill((byte) 3));
        }
        try (storage;
                HostQueue queue = HostQueue.over(ring)) {
            HostFile file = queue.attach(storage);
            file.read(4096, arena.allocate(4096), 1);
            file.read(8192, arena.allocate(4096), 2);
            file.write(4096, arena.allocate(10), 3);
            file.read(-1, arena.allocate(10), 4);
            file.sync(5);
            assertThatThrownBy(() -> file.read(0, MemorySegment.ofArray(new byte[3]), 6))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(file::detach).isInstanceOf(IllegalStateException.class);
            queue.poll(5, outcomes);
            assertThat(outcomes.of(1)).isEqualTo(904);
            assertThat(outcomes.of(2)).isZero();
            assertThat(outcomes.errnoOf(3)).isEqualTo(Errno.EBADF.number());
            assertThatThrownBy(() -> outcomes.of(3))
                    .hasMessageContaining(storage.name())
                    .hasMessageContaining("pwrite at offset 4096")
                    .hasMessageContaining("read-only");
            assertThat(outcomes.errnoOf(4)).isEqualTo(Errno.EINVAL.number());
            assertThat(outcomes.of(5)).isZero();
            assertThat(queue.inFlight()).isZero();
            file.detach();
            assertThatThrownBy(() -> file.read(0, arena.allocate(1), 7)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void operationsOfAHandlerGoOutWithTheNextPoll() throws IOException {
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = HostQueue.over(ring)) {
            storage.truncate(SIZE);
            HostFile file = queue.attach(storage);
            MemorySegment room = arena.allocate(4096);
            int[] left = {100};
            HostCompletions again = new HostCompletions() {
                @Override
                public void completed(long token, long bytes) {
                    if (--left[0] > 0) {
                        try {
                            file.read(token * 4096 % SIZE, room, token + 1);
                        } catch (IOException e) {
                            throw new AssertionError(e);
                        }
                    }
                }

                @Override
                public void failed(long token, IOException failure) {
                    throw new AssertionError(failure);
                }
            };
            file.read(0, room, 1);
            while (queue.inFlight() > 0) {
                queue.poll(1, again);
            }
            assertThat(left[0]).isZero();
            file.detach();
        }
    }

    @Test
    void completionsFindTheirOwnerWhoeverMakesTheTurn() throws IOException {
        long[] timeouts = new long[1];
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = HostQueue.over(ring, (token, result, flags) -> timeouts[0] += token)) {
            storage.truncate(SIZE);
            HostFile file = queue.attach(storage);
            ring.timeout(1, 7);
            file.read(0, arena.allocate(10), 1);
            while (timeouts[0] == 0 || outcomes.count() == 0) {
                queue.poll(1, outcomes);
            }
            assertThat(outcomes.of(1)).isEqualTo(10);
            assertThat(timeouts[0]).isEqualTo(7);
            file.read(0, arena.allocate(20), 2);
            ring.submitAndWait(1, (token, result, flags) -> {
                throw new AssertionError("token " + token);
            });
            assertThat(queue.poll(0, outcomes)).isEqualTo(1);
            assertThat(outcomes.of(2)).isEqualTo(20);
            file.detach();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"WRITEBACK", "NONE"})
    void closingWaitsForWhatIsInFlight(CacheMode mode) throws IOException {
        try (Storage storage = file(mode)) {
            storage.truncate(SIZE);
            HostQueue queue = HostQueue.over(ring);
            HostFile file = queue.attach(storage);
            for (int i = 0; i < 100; i++) {
                file.write(i * 4096L, arena.allocate(4096, 4096).fill((byte) 5), i);
            }
            queue.close();
            assertThat(queue.inFlight()).isZero();
            assertThat(ring.inFlight()).isZero();
            byte[] found = contents(storage);
            assertThat(Arrays.copyOf(found, 100 * 4096)).containsOnly(5);
            file.detach();
        }
    }

    @Test
    void aReadAllocatesNothing() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = HostQueue.over(ring)) {
            storage.truncate(SIZE);
            HostFile file = queue.attach(storage);
            MemorySegment room = arena.allocate(32 * 4096);
            MemorySegment[] rooms = new MemorySegment[32];
            for (int i = 0; i < rooms.length; i++) {
                rooms[i] = room.asSlice(i * 4096L, 4096);
            }
            long[] count = new long[1];
            HostCompletions counting = new HostCompletions() {
                @Override
                public void completed(long token, long bytes) {
                    count[0] += bytes;
                }

                @Override
                public void failed(long token, IOException failure) {
                    throw new AssertionError(failure);
                }
            };
            reads(queue, file, rooms, 10_000, counting);
            long before = threads.getCurrentThreadAllocatedBytes();
            reads(queue, file, rooms, 10_000, counting);
            long bytes = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(count[0]).isEqualTo(2 * 10_000 * 32 * 4096L);
            // What is not compiled yet allocates a little.
            System.out.printf("a queued read allocates %.2f bytes%n", (double) bytes / (10_000 * 32));
            assertThat((double) bytes / (10_000 * 32)).isLessThan(4);
            file.detach();
        }
    }

    private static void reads(HostQueue queue, HostFile file, MemorySegment[] rooms, int polls, HostCompletions handler)
            throws IOException {
        for (int poll = 0; poll < polls; poll++) {
            for (int i = 0; i < rooms.length; i++) {
                file.read(i * 4096L, rooms[i], i);
            }
            queue.poll(rooms.length, handler);
        }
    }
}
