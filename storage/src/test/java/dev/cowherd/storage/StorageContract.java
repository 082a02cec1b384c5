package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the interface promises, run over every implementation. */
abstract class StorageContract {
    static final int ROOM = 256 * 1024;

    private Storage storage;
    private final Arena arena = Arena.ofShared();

    /** A writable storage: empty, or of exactly {@link #ROOM} zero bytes if it cannot change its size. */
    abstract Storage create() throws IOException;

    boolean canChangeSize() {
        return true;
    }

    @BeforeEach
    void createStorage() throws IOException {
        storage = create();
    }

    @AfterEach
    void closeStorage() throws IOException {
        storage.close();
        arena.close();
    }

    static byte[] randomBytes(SplittableRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private MemorySegment copyOf(byte[] bytes) {
        return arena.allocate(Math.max(1, bytes.length))
                .asSlice(0, bytes.length)
                .copyFrom(MemorySegment.ofArray(bytes));
    }

    private byte[] read(Storage from, long offset, int length) throws IOException {
        MemorySegment room = arena.allocate(Math.max(1, length)).asSlice(0, length);
        long count = from.read(offset, room);
        return room.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
    }

    private byte[] fill(long seed) throws IOException {
        byte[] content = randomBytes(new SplittableRandom(seed), ROOM);
        storage.write(0, copyOf(content));
        return content;
    }

    private static byte[] part(byte[] bytes, int from, int length) {
        return java.util.Arrays.copyOfRange(bytes, from, from + length);
    }

    @Test
    void whatWasWrittenIsReadBackAtAnyOffset() throws IOException {
        byte[] content = fill(1);
        for (int offset : new int[] {0, 1, 511, 512, 4095, 4096, 4097, 65536, ROOM - 1}) {
            for (int length : new int[] {0, 1, 511, 512, 513, 4096, 5000, 65536}) {
                int expected = Math.min(length, ROOM - offset);
                assertThat(read(storage, offset, length))
                        .as("%d bytes at %d", length, offset)
                        .isEqualTo(part(content, offset, expected));
            }
        }
    }

    @Test
    void writebackBegunEarlyChangesNothing() throws IOException {
        byte[] content = fill(7);
        long size = storage.sizeBytes();
        storage.startWriteback(0, ROOM);
        storage.startWriteback(4097, 1);
        storage.startWriteback(ROOM - 1, 1L << 33);
        assertThat(read(storage, 0, ROOM)).isEqualTo(content);
        assertThat(storage.sizeBytes()).isEqualTo(size);
        storage.sync();
    }

    @Test
    void spaceSetAsideCannotBeSeen() throws IOException {
        byte[] content = fill(8);
        long size = storage.sizeBytes();
        storage.reserve(size, 1 << 20);
        storage.reserve(size + 12345, 1);
        storage.releaseReserve();
        storage.reserve(size, 1 << 20);
        assertThat(storage.sizeBytes()).isEqualTo(size);
        assertThat(read(storage, 0, ROOM)).isEqualTo(content);
        assertThat(read(storage, size, 4096)).isEmpty();
        storage.sync();
        storage.releaseReserve();
        assertThat(storage.sizeBytes()).isEqualTo(size);
    }

    @Test
    void aReadAtOrPastTheEndGivesNothing() throws IOException {
        fill(2);
        assertThat(read(storage, ROOM, 4096)).isEmpty();
        assertThat(read(storage, ROOM + 12345L, 10)).isEmpty();
    }

    @Test
    void aReadOverAnUnalignedEndIsShort() throws IOException {
        if (!canChangeSize()) {
            return;
        }
        byte[] content = randomBytes(new SplittableRandom(3), 10_001);
        storage.write(0, copyOf(content));
        assertThat(storage.sizeBytes()).isEqualTo(10_001);
        assertThat(read(storage, 0, 65536)).isEqualTo(content);
        assertThat(read(storage, 8192, 4096)).isEqualTo(part(content, 8192, 10_001 - 8192));
        assertThat(read(storage, 10_000, 7)).isEqualTo(part(content, 10_000, 1));
        assertThat(read(storage, 10_001, 7)).isEmpty();
        assertThat(read(storage, 12_288, 4096)).isEmpty();
        MemorySegment[] two = {arena.allocate(5000), arena.allocate(9000)};
        assertThat(storage.readv(1, two, 2)).isEqualTo(10_000);
        assertThat(two[0].toArray(ValueLayout.JAVA_BYTE)).isEqualTo(part(content, 1, 5000));
        assertThat(two[1].asSlice(0, 5000).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(part(content, 5001, 5000));
    }

    @Test
    void oneVectoredReadFillsMoreSegmentsThanOneHostCallTakes() throws IOException {
        byte[] content = fill(4);
        SplittableRandom random = new SplittableRandom(5);
        MemorySegment[] segments = new MemorySegment[2500];
        long wanted = 0;
        for (int i = 0; i < segments.length; i++) {
            int length = random.nextInt(100);
            segments[i] = arena.allocate(length + 1).asSlice(1, length);
            wanted += length;
        }
        assertThat(storage.readv(77, segments, segments.length)).isEqualTo(wanted);
        int at = 77;
        for (MemorySegment segment : segments) {
            assertThat(segment.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(part(content, at, (int) segment.byteSize()));
            at += (int) segment.byteSize();
        }
    }

    @Test
    void aVectoredReadUsesOnlyAsManySegmentsAsItIsTold() throws IOException {
        byte[] content = fill(6);
        MemorySegment untouched = arena.allocate(4096).fill((byte) 7);
        MemorySegment[] segments = {arena.allocate(4096), arena.allocate(8192), untouched};
        assertThat(storage.readv(4096, segments, 2)).isEqualTo(12288);
        assertThat(segments[1].toArray(ValueLayout.JAVA_BYTE)).isEqualTo(part(content, 8192, 8192));
        assertThat(untouched.toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
        assertThat(storage.readv(0, segments, 0)).isZero();
    }

    @Test
    void oneVectoredWriteTakesMoreSegmentsThanOneHostCallDoes() throws IOException {
        byte[] model = fill(14);
        SplittableRandom random = new SplittableRandom(15);
        MemorySegment[] segments = new MemorySegment[2500];
        int at = 77;
        for (int i = 0; i < segments.length; i++) {
            byte[] bytes = randomBytes(random, random.nextInt(100));
            segments[i] = arena.allocate(bytes.length + 1).asSlice(1, bytes.length);
            segments[i].copyFrom(MemorySegment.ofArray(bytes));
            System.arraycopy(bytes, 0, model, at, bytes.length);
            at += bytes.length;
        }
        storage.writev(77, segments, segments.length);
        assertThat(read(storage, 0, ROOM)).isEqualTo(model);
    }

    @Test
    void aVectoredWriteUsesOnlyAsManySegmentsAsItIsTold() throws IOException {
        byte[] model = fill(16);
        MemorySegment[] segments = {
            arena.allocate(4096, 4096).fill((byte) 1),
            arena.allocate(8192, 4096).fill((byte) 2),
            arena.allocate(4096)
        };
        storage.writev(4096, segments, 2);
        java.util.Arrays.fill(model, 4096, 8192, (byte) 1);
        java.util.Arrays.fill(model, 8192, 16384, (byte) 2);
        storage.writev(0, segments, 0);
        storage.writev(0, new MemorySegment[] {segments[0].asReadOnly().asSlice(0, 512)}, 1);
        java.util.Arrays.fill(model, 0, 512, (byte) 1);
        assertThat(read(storage, 0, ROOM)).isEqualTo(model);
        assertThat(storage.sizeBytes()).isEqualTo(ROOM);
    }

    @Test
    void aZeroedRunReadsAsZerosAndItsNeighboursStay() throws IOException {
        byte[] model = fill(17);
        storage.zero(8192, 65536);
        java.util.Arrays.fill(model, 8192, 73728, (byte) 0);
        storage.zero(100_001, 3);
        java.util.Arrays.fill(model, 100_001, 100_004, (byte) 0);
        storage.zero(ROOM - 5, 5);
        java.util.Arrays.fill(model, ROOM - 5, ROOM, (byte) 0);
        assertThat(read(storage, 0, ROOM)).isEqualTo(model);
        assertThat(storage.sizeBytes()).isEqualTo(ROOM);
    }

    @Test
    void allocatingChangesNoByte() throws IOException {
        byte[] model = fill(18);
        storage.punchHole(65536, 65536);
        java.util.Arrays.fill(model, 65536, 131072, (byte) 0);
        storage.allocate(0, ROOM);
        storage.allocate(1001, 3);
        assertThat(read(storage, 0, ROOM)).isEqualTo(model);
        assertThat(storage.sizeBytes()).isEqualTo(ROOM);
    }

    @Test
    void vectoredWritesZeroesAndAllocationsPastTheEndGrowTheStorage() throws IOException {
        if (!canChangeSize()) {
            return;
        }
        storage.writev(1000, new MemorySegment[] {copyOf(new byte[] {1}), copyOf(new byte[] {2, 3})}, 2);
        assertThat(storage.sizeBytes()).isEqualTo(1003);
        assertThat(read(storage, 999, 100)).containsExactly(0, 1, 2, 3);
        storage.zero(1002, 5000);
        assertThat(storage.sizeBytes()).isEqualTo(6002);
        storage.allocate(5000, 5001);
        assertThat(storage.sizeBytes()).isEqualTo(10_001);
        storage.punchHole(9000, 50_000);
        assertThat(storage.sizeBytes()).isEqualTo(10_001);
        assertThat(read(storage, 1000, 20_000)).hasSize(9001).startsWith(1, 2, 0);
        assertThat(read(storage, 1002, 20_000)).containsOnly(0);
    }

    @Test
    void aWritePastTheEndGrowsTheStorageWithZeros() throws IOException {
        if (!canChangeSize()) {
            return;
        }
        storage.write(100_000, copyOf(new byte[] {1, 2, 3}));
        assertThat(storage.sizeBytes()).isEqualTo(100_003);
        assertThat(read(storage, 0, 100_000)).containsOnly(0);
        assertThat(read(storage, 100_000, 10)).containsExactly(1, 2, 3);
    }

    @Test
    void truncateCutsAndGrowsWithZeros() throws IOException {
        if (!canChangeSize()) {
            return;
        }
        byte[] content = fill(7);
        storage.truncate(5000);
        assertThat(storage.sizeBytes()).isEqualTo(5000);
        storage.truncate(9000);
        assertThat(read(storage, 0, ROOM)).hasSize(9000).startsWith(part(content, 0, 5000));
        assertThat(read(storage, 5000, 4000)).containsOnly(0);
    }

    @Test
    void aPunchedHoleReadsAsZerosAndItsNeighboursStay() throws IOException {
        byte[] content = fill(8);
        storage.punchHole(8192, 65536);
        assertThat(read(storage, 8192, 65536)).containsOnly(0);
        assertThat(read(storage, 0, 8192)).isEqualTo(part(content, 0, 8192));
        assertThat(read(storage, 73728, 8192)).isEqualTo(part(content, 73728, 8192));
        storage.punchHole(100_001, 3);
        assertThat(read(storage, 100_000, 5)).containsExactly(content[100_000], 0, 0, 0, content[100_004]);
        assertThat(storage.sizeBytes()).isEqualTo(ROOM);
    }

    @Test
    void rangesCoverTheStorageAndHolesReadAsZeros() throws IOException {
        fill(9);
        storage.punchHole(65536, 65536);
        long at = 0;
        while (at < ROOM) {
            HostRange range = storage.rangeAt(at);
            assertThat(range.length()).isPositive();
            if (!range.data()) {
                assertThat(read(storage, at, (int) range.length())).containsOnly(0);
            }
            at += range.length();
        }
        assertThat(at).isEqualTo(ROOM);
        assertThatThrownBy(() -> storage.rangeAt(ROOM)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void aReopenedHandleSeesTheSameBytesAndOutlivesTheFirst() throws IOException {
        byte[] content = fill(10);
        try (Storage second = storage.reopen()) {
            storage.close();
            assertThat(read(second, 1000, 5000)).isEqualTo(part(content, 1000, 5000));
            second.write(1000, copyOf(new byte[] {9}));
            assertThat(read(second, 1000, 1)).containsExactly(9);
            second.sync();
        }
    }

    @Test
    void aClosedStorageFailsEveryOperationWithOneClearLine() throws IOException {
        storage.close();
        storage.close();
        MemorySegment room = arena.allocate(4096);
        List<org.assertj.core.api.ThrowableAssert.ThrowingCallable> operations = List.of(
                () -> storage.read(0, room),
                () -> storage.readv(0, new MemorySegment[] {room, room}, 2),
                () -> storage.write(0, room),
                () -> storage.writev(0, new MemorySegment[] {room, room}, 2),
                () -> storage.punchHole(0, 4096),
                () -> storage.zero(0, 4096),
                () -> storage.allocate(0, 4096),
                () -> storage.truncate(0),
                () -> storage.sync(),
                () -> storage.rangeAt(0),
                () -> storage.sizeBytes(),
                () -> storage.reopen());
        for (var operation : operations) {
            assertThatThrownBy(operation)
                    .isInstanceOf(StorageException.class)
                    .hasMessageContaining("the storage is closed")
                    .hasMessageContaining(storage.name());
        }
    }

    @Test
    void aNegativeOffsetIsRefused() {
        assertThatThrownBy(() -> storage.read(-4096, arena.allocate(4096)))
                .isInstanceOfSatisfying(
                        StorageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL.number()));
        assertThatThrownBy(() -> storage.write(-4096, arena.allocate(4096))).isInstanceOf(StorageException.class);
    }

    @Test
    void readsFromManyThreadsAtOnceEachGetTheirOwnBytes() throws Exception {
        byte[] content = fill(11);
        try (ExecutorService threads = Executors.newFixedThreadPool(6)) {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < 6; t++) {
                int id = t;
                all.add(threads.submit(() -> {
                    SplittableRandom random = new SplittableRandom(100 + id);
                    try (Storage own = storage.reopen()) {
                        for (int i = 0; i < 200; i++) {
                            int offset = random.nextInt(ROOM - 9000);
                            int length = random.nextInt(9000);
                            assertThat(read(id % 2 == 0 ? own : storage, offset, length))
                                    .isEqualTo(part(content, offset, length));
                        }
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
    void randomOperationsAgreeWithAnArray() throws IOException {
        long seed = Long.getLong("cowherd.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        byte[] model = new byte[ROOM];
        fill(12);
        System.arraycopy(randomBytes(new SplittableRandom(12), ROOM), 0, model, 0, ROOM);
        for (int step = 0; step < 600; step++) {
            int offset = place(random, ROOM);
            int length = Math.min(place(random, 40_000), ROOM - offset);
            String what = "seed " + seed + " (-Dcowherd.seed), step " + step + ": " + length + " bytes at " + offset;
            switch (random.nextInt(6)) {
                case 0 -> {
                    byte[] bytes = randomBytes(random, length);
                    storage.write(offset, copyOf(bytes));
                    System.arraycopy(bytes, 0, model, offset, length);
                }
                case 1 -> {
                    if (length > 0) {
                        storage.punchHole(offset, length);
                        java.util.Arrays.fill(model, offset, offset + length, (byte) 0);
                    }
                }
                case 2 -> assertThat(read(storage, offset, length)).as(what).isEqualTo(part(model, offset, length));
                case 3 -> {
                    if (length > 0) {
                        storage.zero(offset, length);
                        java.util.Arrays.fill(model, offset, offset + length, (byte) 0);
                    }
                }
                case 4 -> {
                    MemorySegment[] segments = segments(random, length);
                    for (MemorySegment segment : segments) {
                        segment.copyFrom(MemorySegment.ofArray(randomBytes(random, (int) segment.byteSize())));
                    }
                    storage.writev(offset, segments, segments.length);
                    gather(segments, model, offset);
                }
                default -> compareVectored(random, model, offset, length, what);
            }
        }
        assertThat(read(storage, 0, ROOM)).as("seed %d", seed).isEqualTo(model);
        assertThat(storage.sizeBytes()).isEqualTo(ROOM);
    }

    /** Aligned places as often as odd ones. */
    private static int place(SplittableRandom random, int bound) {
        int any = random.nextInt(bound);
        return switch (random.nextInt(3)) {
            case 0 -> any & -4096;
            case 1 -> any & -512;
            default -> any;
        };
    }

    private void compareVectored(SplittableRandom random, byte[] model, int offset, int length, String what)
            throws IOException {
        MemorySegment[] segments = segments(random, length);
        assertThat(storage.readv(offset, segments, segments.length)).as(what).isEqualTo(length);
        byte[] found = new byte[length];
        gather(segments, found, 0);
        assertThat(found).as(what).isEqualTo(part(model, offset, length));
    }

    private static void gather(MemorySegment[] segments, byte[] into, int from) {
        int at = from;
        for (MemorySegment segment : segments) {
            MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, 0, into, at, (int) segment.byteSize());
            at += (int) segment.byteSize();
        }
    }

    /** So many bytes in pieces, aligned ones and odd ones. */
    private MemorySegment[] segments(SplittableRandom random, int length) {
        List<MemorySegment> parts = new ArrayList<>();
        int left = length;
        while (left > 0) {
            int part = 1 + place(random, left);
            part = Math.min(part, left);
            int shift = random.nextBoolean() ? 0 : random.nextInt(600);
            parts.add(arena.allocate(part + shift, 4096).asSlice(shift, part));
            left -= part;
        }
        return parts.toArray(MemorySegment[]::new);
    }
}
