package dev.cowherd.storage.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.HostAccess;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.queue.HostOperation.Kind;
import dev.cowherd.storage.ring.Ring;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A host that moves less than asked, asks to come again, or fails: seen by nobody, or with its number. */
@Timeout(60)
class RingTransfersTest {
    private static final int SIZE = 256 * 1024;

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofConfined();
    private final Outcomes outcomes = new Outcomes();
    private Ring ring;
    private byte[] content = new byte[SIZE];

    @BeforeEach
    void open() throws IOException {
        assumeTrue(Ring.probe().isEmpty());
        ring = Ring.open(RingOptions.ofEntries(32));
        new SplittableRandom(1).nextBytes(content);
        try (Storage storage = file(CacheMode.WRITEBACK)) {
            storage.write(0, copyOf(content));
        }
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

    private MemorySegment copyOf(byte[] bytes) {
        return arena.allocate(bytes.length, 4096).copyFrom(MemorySegment.ofArray(bytes));
    }

    private HostQueue queue(ResultJudge judge) {
        return HostQueue.over(ring, (token, result, flags) -> {}, judge);
    }

    private static MemorySegment[] cut(MemorySegment whole, int... at) {
        MemorySegment[] parts = new MemorySegment[at.length + 1];
        long from = 0;
        for (int i = 0; i < at.length; i++) {
            parts[i] = whole.asSlice(from, at[i] - from);
            from = at[i];
        }
        parts[at.length] = whole.asSlice(from);
        return parts;
    }

    /** What was moved beyond what the judge says is moved again: the same bytes to the same place. */
    @ParameterizedTest
    @ValueSource(ints = {1, 1000, 4096, 70_000})
    void shortTransfersAreCarriedOn(int most) throws IOException {
        ResultJudge stingy = (kind, offset, result) -> result > most ? most : result;
        byte[] fresh = new byte[SIZE];
        new SplittableRandom(2).nextBytes(fresh);
        int length = most == 1 ? 500 : 200_000;
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = queue(stingy)) {
            HostFile file = queue.attach(storage);
            MemorySegment room = arena.allocate(length);
            MemorySegment parted = arena.allocate(length);
            file.read(77, room, 1);
            file.readv(99, cut(parted, 0, 3, 100, 100, 499), 6, 2);
            queue.poll(2, outcomes);
            assertThat(outcomes.of(1)).isEqualTo(length);
            assertThat(outcomes.of(2)).isEqualTo(length);
            assertThat(room.mismatch(copyOf(content).asSlice(77, length))).isEqualTo(-1);
            assertThat(parted.mismatch(copyOf(content).asSlice(99, length))).isEqualTo(-1);
            file.write(0, copyOf(fresh).asSlice(0, length), 3);
            file.writev(SIZE - 500, cut(copyOf(fresh).asSlice(0, 500), 1, 7, 7, 400), 5, 4);
            file.read(SIZE - 20, arena.allocate(100), 5);
            queue.poll(3, outcomes);
            assertThat(outcomes.of(3)).isEqualTo(length);
            assertThat(outcomes.of(4)).isEqualTo(500);
            assertThat(outcomes.of(5)).isEqualTo(20);
            MemorySegment all = arena.allocate(SIZE);
            storage.read(0, all);
            assertThat(all.asSlice(0, length).mismatch(copyOf(fresh).asSlice(0, length)))
                    .isEqualTo(-1);
            assertThat(all.asSlice(SIZE - 500).mismatch(copyOf(fresh).asSlice(0, 500)))
                    .isEqualTo(-1);
            file.detach();
        }
    }

    @Test
    void underDirectAccessAShortTransferGoesOnFromABlocksStart() throws IOException {
        ResultJudge stingy = (kind, offset, result) -> result > 10_000 ? (kind.isRead() ? 8192 : 10_000) : result;
        try (Storage storage = file(CacheMode.NONE);
                HostQueue queue = queue(stingy)) {
            HostFile file = queue.attach(storage);
            MemorySegment room = arena.allocate(65536, 4096);
            file.read(4096, room, 1);
            queue.poll(1, outcomes);
            assertThat(outcomes.of(1)).isEqualTo(65536);
            assertThat(room.mismatch(copyOf(content).asSlice(4096, 65536))).isEqualTo(-1);
            file.write(131_072, room, 2);
            queue.poll(1, outcomes);
            assertThat(outcomes.of(2)).isEqualTo(65536);
            MemorySegment again = arena.allocate(65536, 4096);
            storage.read(131_072, again);
            assertThat(again.mismatch(room)).isEqualTo(-1);
            file.detach();
        }
    }

    /** To go on from there would be a read at a place that the device does not know. */
    @Test
    void underDirectAccessAnAnswerInsideABlockIsTheFilesEnd() throws IOException {
        int[] asked = new int[1];
        ResultJudge ending = (kind, offset, result) -> asked[0]++ == 0 ? 5000 : result;
        try (Storage storage = file(CacheMode.NONE);
                HostQueue queue = queue(ending)) {
            HostFile file = queue.attach(storage);
            file.read(0, arena.allocate(65536, 4096), 1);
            queue.poll(1, outcomes);
            assertThat(outcomes.of(1)).isEqualTo(5000);
            assertThat(asked[0]).isEqualTo(1);
            file.detach();
        }
    }

    @Test
    void underDirectAccessAChangeHoldsItsBlocksUntilItsCompletion() throws IOException {
        try (Storage storage = file(CacheMode.NONE);
                HostQueue queue = queue(ResultJudge.HONEST)) {
            HostFile file = queue.attach(storage);
            HostAccess access = Objects.requireNonNull(storage.hostAccess());
            file.write(8192, arena.allocate(4096, 4096), 1);
            file.punchHole(65536, 4096, 2);
            assertThat(access.tryHold(8192, 4096)).isNull();
            assertThat(access.tryHold(65536, 4096)).isNull();
            Objects.requireNonNull(access.tryHold(0, 8192)).give();
            queue.poll(2, outcomes);
            Objects.requireNonNull(access.tryHold(0, SIZE)).give();
            file.detach();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"EINTR", "EAGAIN"})
    void aHostThatAsksToComeAgainIsAskedAgainButNotForEver(Errno errno) throws IOException {
        int[] refusals = {30};
        ResultJudge busy = (kind, offset, result) -> refusals[0]-- > 0 ? -errno.number() : result;
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = queue(busy)) {
            HostFile file = queue.attach(storage);
            MemorySegment room = arena.allocate(1000);
            file.read(0, room, 1);
            file.sync(2);
            file.write(5, copyOf(new byte[] {1, 2}), 3);
            queue.poll(3, outcomes);
            assertThat(outcomes.of(1)).isEqualTo(1000);
            assertThat(outcomes.of(2)).isZero();
            assertThat(outcomes.of(3)).isEqualTo(2);
            refusals[0] = Integer.MAX_VALUE;
            file.read(0, room, 4);
            queue.poll(1, outcomes);
            assertThat(outcomes.errnoOf(4)).isEqualTo(errno.number());
            file.detach();
        }
    }

    /** Each operation of a set fails in its turn; the others succeed, and the queue goes on. */
    @ParameterizedTest
    @EnumSource(
            value = CacheMode.class,
            names = {"WRITEBACK", "NONE"})
    void oneFailedOperationLeavesTheOthersAlone(CacheMode mode) throws IOException {
        for (int k = 0; k < 6; k++) {
            int failing = k;
            int[] seen = new int[1];
            ResultJudge faulty = (kind, offset, result) -> seen[0]++ == failing ? -Errno.EIO.number() : result;
            Outcomes each = new Outcomes();
            try (Storage storage = file(mode);
                    HostQueue queue = queue(faulty)) {
                HostFile file = queue.attach(storage);
                MemorySegment room = arena.allocate(4096, 4096);
                file.read(0, room, 0);
                file.write(4096, arena.allocate(4096, 4096), 1);
                file.readv(8192, new MemorySegment[] {arena.allocate(4096, 4096), room}, 2, 2);
                file.writev(65536, new MemorySegment[] {room, room}, 2, 3);
                file.sync(4);
                file.punchHole(131_072, 4096, 5);
                queue.poll(6, each);
                assertThat(each.count()).isEqualTo(6);
                int failed = 0;
                for (int token = 0; token < 6; token++) {
                    try {
                        each.of(token);
                    } catch (StorageException e) {
                        assertThat(e.errno()).isEqualTo(Errno.EIO.number());
                        assertThat(e.storageName()).isEqualTo(storage.name());
                        failed++;
                    }
                }
                assertThat(failed).as("operation %d", k).isEqualTo(1);
                // The blocks that the failed one held are free again.
                file.write(4096, arena.allocate(4096, 4096), 6);
                file.write(65536 + 17, arena.allocate(10), 7);
                queue.poll(2, each);
                assertThat(each.of(6)).isEqualTo(4096);
                assertThat(each.of(7)).isEqualTo(10);
                file.detach();
            }
        }
    }

    @Test
    void aWriteThatMovesNothingFails() throws IOException {
        try (Storage storage = file(CacheMode.WRITEBACK);
                HostQueue queue = queue((kind, offset, result) -> kind == Kind.WRITE ? 0 : result)) {
            HostFile file = queue.attach(storage);
            file.write(0, arena.allocate(10), 1);
            queue.poll(1, outcomes);
            assertThat(outcomes.errnoOf(1)).isEqualTo(Errno.EIO.number());
            file.detach();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = CacheMode.class,
            names = {"WRITEBACK", "NONE"})
    void aHostWithoutHolesGetsThemByTheStoragesOwnWay(CacheMode mode) throws IOException {
        ResultJudge without =
                (kind, offset, result) -> kind.isTransfer() || kind == Kind.SYNC ? result : -Errno.EOPNOTSUPP.number();
        try (Storage storage = file(mode);
                HostQueue queue = queue(without)) {
            HostFile file = queue.attach(storage);
            file.punchHole(4096, 8192, 1);
            file.zero(65536, 4096, 2);
            file.allocate(SIZE, 4096, 3);
            queue.poll(3, outcomes);
            for (int token = 1; token <= 3; token++) {
                assertThat(outcomes.of(token)).isZero();
            }
            MemorySegment zeros = arena.allocate(8192, 4096);
            storage.read(4096, zeros);
            assertThat(zeros.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
            assertThat(storage.sizeBytes()).isEqualTo(SIZE + 4096);
            file.detach();
        }
    }

    @Test
    void aFilterSeesEveryOperationAndItsFaultsArrive() throws IOException {
        try (Storage storage = new FaultStorage(
                        file(CacheMode.WRITEBACK),
                        Fault.of(Errno.ENOSPC, Operation.WRITE).onlyNumber(2));
                HostQueue queue = HostQueue.over(ring)) {
            HostFile file = queue.attach(storage);
            assertThat(file.isOnRing()).isFalse();
            for (int i = 0; i < 3; i++) {
                file.write(i, arena.allocate(1), i);
            }
            queue.poll(3, outcomes);
            assertThat(outcomes.of(0)).isEqualTo(1);
            assertThat(outcomes.errnoOf(1)).isEqualTo(Errno.ENOSPC.number());
            assertThat(outcomes.of(2)).isEqualTo(1);
            file.detach();
        }
    }
}
