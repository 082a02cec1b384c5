package dev.cowherd.storage.filter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What each filter does to the operations that pass it. */
class FiltersTest {
    private final MemorySegment block = Arena.ofAuto().allocate(4096);

    private Storage memory() throws IOException {
        MemoryStorage memory = new MemoryStorage("memory");
        memory.truncate(65536);
        return memory;
    }

    @Test
    void onlyTheThirdWriteFailsAlsoWhenItComesThroughAnotherHandle() throws IOException {
        try (FaultStorage disk = new FaultStorage(
                        memory(), Fault.of(Errno.ENOSPC, Operation.WRITE).onlyNumber(3));
                Storage other = disk.reopen()) {
            disk.write(0, block);
            other.write(0, block);
            assertThatThrownBy(() -> disk.write(8192, block))
                    .isInstanceOfSatisfying(StorageException.class, e -> {
                        assertThat(e.errno()).isEqualTo(Errno.ENOSPC.number());
                        assertThat(e.offset()).isEqualTo(8192);
                    })
                    .hasMessageContaining("No space left on device (ENOSPC)");
            other.write(8192, block);
            assertThat(disk.read(0, block)).isEqualTo(4096);
        }
    }

    @Test
    void aBadRangeFailsEveryReadThatTouchesItUntilTheDiskIsWellAgain() throws IOException {
        try (FaultStorage disk = new FaultStorage(memory())) {
            disk.add(Fault.of(Errno.EIO, Operation.READ).inRange(4096, 512));
            assertThat(disk.read(0, block)).isEqualTo(4096);
            assertThatThrownBy(() -> disk.read(1, block)).hasMessageContaining("EIO");
            assertThatThrownBy(() -> disk.readv(4000, new MemorySegment[] {block, block}, 2))
                    .hasMessageContaining("EIO");
            assertThat(disk.read(4608, block)).isEqualTo(4096);
            disk.clear();
            assertThat(disk.read(4096, block)).isEqualTo(4096);
        }
    }

    @Test
    void aFaultOnCloseIsReportedAndTheNextStorageIsClosedAllTheSame() throws IOException {
        Storage memory = memory();
        FaultStorage disk = new FaultStorage(memory, Fault.of(Errno.EIO, Operation.CLOSE));
        assertThatThrownBy(disk::close).hasMessageContaining("EIO");
        assertThatThrownBy(memory::sizeBytes).hasMessageContaining("closed");
    }

    @Test
    void operationsAreNotedInTheirOrderOverAllHandles() throws IOException {
        try (RecordStorage disk = new RecordStorage(memory());
                Storage other = disk.reopen()) {
            disk.forget();
            disk.write(4096, block);
            other.sync();
            other.readv(100, new MemorySegment[] {block, block}, 2);
            disk.punchHole(0, 512);
            assertThat(disk.requests())
                    .containsExactly(
                            new Request(Operation.WRITE, 4096, 4096),
                            new Request(Operation.SYNC, 0, 0),
                            new Request(Operation.READ, 100, 8192),
                            new Request(Operation.PUNCH_HOLE, 0, 512));
            assertThat(disk.requests(Operation.READ)).hasSize(1);
        }
    }

    @Test
    void delaysAreAskedOfTheClockThatTheTestHolds() throws IOException {
        List<Long> waits = new ArrayList<>();
        try (Storage disk = new DelayStorage(
                memory(), request -> request.operation() == Operation.READ ? request.length() : 0, waits::add)) {
            disk.write(0, block);
            disk.read(0, block);
            disk.reopen().read(0, block.asSlice(0, 512));
            assertThat(waits).containsExactly(4096L, 512L);
        }
    }

    @Test
    void readsOfFourThreadsMeetInsideTheGate() throws Exception {
        try (GateStorage disk = GateStorage.forReads(memory(), 4);
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<Long>> reads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Storage own = disk.reopen();
                reads.add(threads.submit(() -> own.read(0, Arena.ofAuto().allocate(512))));
            }
            for (Future<Long> read : reads) {
                assertThat(read.get()).isEqualTo(512);
            }
            assertThat(disk.meetings()).isEqualTo(1);
        }
    }

    @Test
    void aGateThatTooFewReachSaysHowManyWereInside() throws Exception {
        try (GateStorage disk = new GateStorage(
                        memory(), request -> request.operation() == Operation.READ, 3, Duration.ofMillis(200));
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            Future<Long> first = threads.submit(() -> disk.read(0, block));
            Future<Long> second = threads.submit(() -> disk.read(0, block));
            for (Future<Long> read : List.of(first, second)) {
                assertThatThrownBy(read::get)
                        .isInstanceOf(ExecutionException.class)
                        .hasMessageContaining("for 3 READ operations to be inside at once, but only 2 were");
            }
        }
    }

    @Test
    void anOpenedGateHoldsNobody() throws IOException {
        try (GateStorage disk = GateStorage.forReads(memory(), 2)) {
            disk.open();
            assertThat(disk.read(0, block)).isEqualTo(4096);
            assertThat(disk.meetings()).isZero();
        }
    }
}
