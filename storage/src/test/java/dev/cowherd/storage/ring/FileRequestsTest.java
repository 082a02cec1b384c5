package dev.cowherd.storage.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.linux.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests on files, pipes and eventfds, judged by what blocking calls find there. */
@Timeout(60)
class FileRequestsTest {
    private static final int O_RDWR = 2;
    private static final int FALLOC_PUNCH = 3;
    private static final int SIZE = 1 << 20;
    private static final long POLLIN = 1;

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofConfined();
    private final Seen seen = new Seen();
    private Ring ring;
    private FileRequests requests;
    private Storage storage;
    private int fd;
    private RingDescriptor file;

    @BeforeEach
    void open() throws IOException {
        assumeTrue(Ring.probe().isEmpty());
        ring = Ring.open(new RingOptions(16, 64, 2, 4));
        requests = new FileRequests(ring);
        storage =
                FileStorage.open(folder.resolve("file"), FileOptions.creating().withLock(LockMode.NONE));
        storage.write(0, random(1, SIZE));
        fd = (int) Libc.HOST.open(folder.resolve("file").toString(), O_RDWR, 0);
        file = ring.files().register(fd);
    }

    @AfterEach
    void close() throws IOException {
        if (ring != null) {
            ring.close();
            Libc.HOST.close(fd);
            storage.close();
        }
        arena.close();
    }

    private MemorySegment random(long seed, int length) {
        byte[] bytes = new byte[length];
        new SplittableRandom(seed).nextBytes(bytes);
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
    }

    private byte[] stored(long offset, int length) throws IOException {
        MemorySegment room = arena.allocate(length);
        assertThat(storage.read(offset, room)).isEqualTo(length);
        return bytes(room);
    }

    private static byte[] bytes(MemorySegment segment) {
        return segment.toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void randomReadsGiveWhatTheFileHolds() throws IOException {
        SplittableRandom random = new SplittableRandom(2);
        MemorySegment[] rooms = new MemorySegment[200];
        long[] offsets = new long[rooms.length];
        for (int i = 0; i < rooms.length; i++) {
            rooms[i] = arena.allocate(1 + random.nextInt(20_000));
            offsets[i] = random.nextLong(SIZE);
            requests.read(i % 2 == 0 ? file : RingDescriptor.of(fd), offsets[i], rooms[i], i);
        }
        ring.submitAndWait(rooms.length, Seen.LIMIT, seen);
        for (int i = 0; i < rooms.length; i++) {
            int expected = (int) Math.min(rooms[i].byteSize(), SIZE - offsets[i]);
            assertThat(seen.of(i)).isEqualTo(expected);
            assertThat(bytes(rooms[i].asSlice(0, expected))).isEqualTo(stored(offsets[i], expected));
        }
    }

    @Test
    void writesAndVectorsArriveAndTheirArraysMayBeUsedAnewAtOnce() throws IOException {
        MemorySegment[] two = new MemorySegment[2];
        for (int i = 0; i < 40; i++) {
            two[0] = random(100 + i, 1000);
            two[1] = random(200 + i, 3000);
            requests.writev(file, i * 4000L, two, 2, i);
        }
        MemorySegment single = random(3, 5000);
        requests.write(file, 500_000, single, 40);
        ring.submitAndWait(41, Seen.LIMIT, seen);
        assertThat(seen.of(40)).isEqualTo(5000);
        assertThat(stored(500_000, 5000)).isEqualTo(bytes(single));
        for (int i = 0; i < 40; i++) {
            assertThat(seen.of(i)).isEqualTo(4000);
            assertThat(stored(i * 4000L, 1000)).isEqualTo(bytes(random(100 + i, 1000)));
            assertThat(stored(i * 4000L + 1000, 3000)).isEqualTo(bytes(random(200 + i, 3000)));
        }
        MemorySegment[] many = new MemorySegment[Arguments.MOST_BUFFERS];
        MemorySegment whole = arena.allocate(many.length * 7L);
        for (int i = 0; i < many.length; i++) {
            many[i] = whole.asSlice(i * 7L, 7);
        }
        for (int i = 0; i < 10; i++) {
            requests.readv(file, 0, many, many.length, 50 + i);
        }
        ring.submitAndWait(10, Seen.LIMIT, seen);
        assertThat(seen.of(59)).isEqualTo(many.length * 7);
        assertThat(bytes(whole)).isEqualTo(stored(0, many.length * 7));
    }

    @Test
    void aRangeIsBegunAndOneThatMakesNoSenseIsRefused() throws IOException {
        requests.write(file, 0, random(1, 4096), 1);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        requests.syncRange(file, 0, 4096, 2, 2);
        requests.syncRange(file, 0, 1L << 40, 2, 3);
        requests.syncRange(file, 0, 4096, 1 << 20, 4);
        ring.submitAndWait(3, Seen.LIMIT, seen);
        assertThat(seen.of(2)).isZero();
        assertThat(seen.of(3)).isZero();
        assertThat(seen.of(4)).as("no such flag").isEqualTo(-22);
    }

    @Test
    void registeredMemoryIsReadIntoAndWrittenFrom() throws IOException {
        MemorySegment own = ring.buffers().allocate(1 << 16);
        MemorySegment callers = arena.allocate(8192, 4096);
        assertThat(ring.buffers().register(callers)).isTrue();
        assertThat(ring.buffers().indexOf(own.address() + 100, 1000)).isNotEqualTo(RegisteredBuffers.NONE);
        assertThat(ring.buffers().indexOf(own.address() + 100, 1 << 16)).isEqualTo(RegisteredBuffers.NONE);
        requests.read(file, 4096, own.asSlice(4096, 8192), 1);
        requests.read(RingDescriptor.of(fd), 100, callers.asSlice(1, 777), 2);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(bytes(own.asSlice(4096, 8192))).isEqualTo(stored(4096, 8192));
        assertThat(bytes(callers.asSlice(1, 777))).isEqualTo(stored(100, 777));

        requests.write(file, 300_000, own.asSlice(4096, 100), 3);
        assertThat(ring.buffers().unregister(callers)).isTrue();
        assertThat(ring.buffers().unregister(callers)).isFalse();
        requests.read(file, 0, callers, 4);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(stored(300_000, 100)).isEqualTo(stored(4096, 100));
        assertThat(bytes(callers)).isEqualTo(stored(0, 8192));
        assertThat(ring.buffers().register(callers)).isTrue();
    }

    @Test
    void aFullTableOfFilesGivesTheDescriptorItself() throws IOException {
        RingDescriptor second = ring.files().register(fd);
        RingDescriptor third = ring.files().register(fd);
        assertThat(second.isRegistered()).isTrue();
        assertThat(third.isRegistered()).isFalse();
        MemorySegment room = arena.allocate(100);
        for (RingDescriptor each : new RingDescriptor[] {file, second, third}) {
            requests.read(each, 7, room.fill((byte) 0), 1);
            ring.submitAndWait(1, Seen.LIMIT, new Seen());
            assertThat(bytes(room)).isEqualTo(stored(7, 100));
        }
        requests.read(second, 7, room, 2);
        ring.files().unregister(second);
        requests.read(second, 7, room, 3);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(seen.of(2)).isEqualTo(100);
        assertThat(seen.of(3)).isEqualTo(-Errno.EBADF.number());
        RingDescriptor stale = second;
        assertThatThrownBy(() -> ring.files().unregister(stale)).isInstanceOf(IllegalStateException.class);
        assertThat(ring.files().register(fd).isRegistered()).isTrue();
    }

    @Test
    void syncPunchAndAllocateWorkAndErrorsKeepTheirNumber() throws IOException {
        requests.fsync(file, true, 1);
        requests.fsync(file, false, 2);
        requests.fallocate(file, FALLOC_PUNCH, 8192, 65536, 3);
        requests.fallocate(file, 0, SIZE, 4096, 4);
        requests.fallocate(file, 0, -1, 4096, 5);
        int other = (int) Libc.HOST.open(folder.resolve("file").toString(), 0, 0);
        requests.write(RingDescriptor.of(other), 0, arena.allocate(10), 6);
        ring.submitAndWait(6, Seen.LIMIT, seen);
        assertThat(new int[] {seen.of(1), seen.of(2), seen.of(3), seen.of(4)}).containsOnly(0);
        assertThat(stored(8192, 65536)).containsOnly(0);
        assertThat(storage.sizeBytes()).isEqualTo(SIZE + 4096);
        assertThat(seen.of(5)).isEqualTo(-Errno.EINVAL.number());
        assertThat(seen.of(6)).isEqualTo(-Errno.EBADF.number());
        requests.close(other, 7);
        requests.read(RingDescriptor.of(9999), 0, arena.allocate(1), 8);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(seen.of(7)).isZero();
        assertThat(seen.of(8)).isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.HOST.close(other)).isEqualTo(-Errno.EBADF.number());
    }

    @Test
    void onePipesReadersAreServedAsBytesComeAndPollSeesThem() throws IOException {
        try (HostPipes.Pair pipe = HostPipes.pipe()) {
            RingDescriptor end = RingDescriptor.of(pipe.first());
            requests.poll(end, (int) POLLIN, false, 1);
            assertThat(ring.submitAndWait(0, Seen.LIMIT, seen)).isZero();
            HostPipes.write(pipe.second(), 100, 7);
            ring.submitAndWait(1, Seen.LIMIT, seen);
            assertThat(seen.of(1) & POLLIN).isEqualTo(POLLIN);
            MemorySegment room = arena.allocate(1000);
            requests.read(end, 0, room, 2);
            ring.submitAndWait(1, Seen.LIMIT, seen);
            assertThat(seen.of(2)).isEqualTo(100);
            assertThat(bytes(room.asSlice(0, 100))).containsOnly(7);
        }
    }

    @Test
    void aPollThatGoesOnCompletesEachTimeUntilItIsTakenBack() throws IOException {
        try (HostPipes.Pair pipe = HostPipes.pipe()) {
            long poll = requests.poll(RingDescriptor.of(pipe.first()), (int) POLLIN, true, 1);
            for (int i = 0; i < 3; i++) {
                ring.submit();
                HostPipes.write(pipe.second(), 1, 1);
                assertThat(ring.submitAndWait(1, Seen.LIMIT, seen)).isEqualTo(1);
                assertThat(seen.lastFlags & Completions.MORE).isEqualTo(Completions.MORE);
            }
            assertThat(ring.inFlight()).isEqualTo(1);
            ring.cancel(poll, 2);
            ring.submitAndWait(2, Seen.LIMIT, seen);
            assertThat(seen.results.get(1L)).hasSize(4).last().isEqualTo(-Errno.ECANCELED.number());
            assertThat(ring.inFlight()).isZero();
        }
    }

    @Test
    void aPressOfTheDoorbellWakesTheRingAlsoWhenNobodyListened() throws Exception {
        Doorbell doorbell = ring.doorbell();
        doorbell.press();
        doorbell.press();
        doorbell.listen(1);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(1)).isEqualTo(Long.BYTES);
        doorbell.listen(2);
        assertThat(ring.submitAndWait(0, Seen.LIMIT, seen)).isZero();
        Thread other = Thread.ofPlatform().start(() -> {
            try {
                doorbell.press();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(2)).isEqualTo(Long.BYTES);
        other.join();
        doorbell.listen(3);
        ring.close();
        doorbell.press();
    }

    @Test
    void buffersThatTheKernelCannotBeGivenAreRefused() throws IOException {
        MemorySegment heap = MemorySegment.ofArray(new byte[10]);
        MemorySegment readOnly = arena.allocate(10).asReadOnly();
        MemorySegment gone;
        try (Arena brief = Arena.ofConfined()) {
            gone = brief.allocate(10);
        }
        for (MemorySegment bad : new MemorySegment[] {heap, readOnly, gone}) {
            assertThatThrownBy(() -> requests.read(file, 0, bad, 1)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> requests.readv(file, 0, new MemorySegment[] {bad}, 1, 1))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(ring.inFlight()).isZero();
        requests.write(file, 0, readOnly, 2);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(2)).isEqualTo(10);
    }

    @Test
    void memoryOfAnAutomaticArenaStaysUntilItsCompletion() throws IOException {
        try (HostPipes.Pair pipe = HostPipes.pipe()) {
            MemorySegment room = Arena.ofAuto().allocate(64 * 1024);
            WeakReference<MemorySegment> watched = new WeakReference<>(room);
            WeakReference<MemorySegment> nobodys =
                    new WeakReference<>(Arena.ofAuto().allocate(64 * 1024));
            requests.read(RingDescriptor.of(pipe.first()), 0, room, 1);
            ring.submit();
            room = null;
            // When the collector has taken what nobody holds, it has seen this one too.
            long garbage = 0;
            while (nobodys.get() != null) {
                garbage += new byte[1 << 20].length;
            }
            assertThat(garbage).isNotNegative();
            assertThat(watched.get()).isNotNull();
            HostPipes.write(pipe.second(), 64, 9);
            ring.submitAndWait(1, Seen.LIMIT, seen);
            assertThat(seen.of(1)).isEqualTo(64);
        }
    }
}
