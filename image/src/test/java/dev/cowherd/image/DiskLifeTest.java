package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a disk, its queues and its channel promise from open to close, on a raw image in memory. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class DiskLifeTest {
    private static final DiskOptions RAW = DiskOptions.defaults().withFormat(ImageFormat.RAW);

    private final byte[] content = new byte[700_000];

    private Storage image() throws IOException {
        new Random(1).nextBytes(content);
        MemoryStorage storage = new MemoryStorage("disk.raw");
        try (Arena arena = Arena.ofConfined()) {
            storage.write(0, arena.allocate(content.length).copyFrom(MemorySegment.ofArray(content)));
        }
        return storage;
    }

    @Test
    void everyKindOfDestinationIsFilled() throws IOException {
        try (Disk disk = Disk.open(image(), RAW);
                DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            byte[] expected = Arrays.copyOfRange(content, 1001, 601_001);
            MemorySegment nativeMemory = arena.allocate(600_000);
            queue.read(1001, nativeMemory);
            assertThat(nativeMemory.mismatch(MemorySegment.ofArray(expected))).isEqualTo(-1);
            byte[] heap = new byte[600_000];
            queue.read(1001, MemorySegment.ofArray(heap));
            assertThat(heap).isEqualTo(expected);
            ByteBuffer part = ByteBuffer.allocate(600_010).position(10);
            queue.read(1001, part);
            assertThat(part.remaining()).isZero();
            assertThat(part.slice(10, 600_000)).isEqualTo(ByteBuffer.wrap(expected));
            ByteBuffer direct = ByteBuffer.allocateDirect(600_000);
            queue.read(1001, direct);
            assertThat(direct.flip()).isEqualTo(ByteBuffer.wrap(expected));
            queue.read(5, MemorySegment.ofArray(new byte[0]));
        }
    }

    @Test
    void theLastSectorOfARawFileIsFilledUpWithZeros() throws IOException {
        try (Disk disk = Disk.open(image(), RAW);
                DiskQueue queue = disk.openQueue()) {
            assertThat(disk.sizeBytes()).isEqualTo(700_416);
            byte[] tail = new byte[516];
            Arrays.fill(tail, (byte) 1);
            queue.read(699_900, ByteBuffer.wrap(tail));
            assertThat(tail).isEqualTo(Arrays.copyOfRange(content, 699_900, 700_416));
        }
    }

    @Test
    void requestsOutsideTheDiskAreRefusedBeforeAnythingIsRead() throws IOException {
        RecordStorage record = new RecordStorage(image());
        try (Disk disk = Disk.open(record, RAW);
                DiskQueue queue = disk.openQueue()) {
            record.forget();
            for (long offset : new long[] {-1, 700_416, 700_400, Long.MAX_VALUE, Long.MIN_VALUE}) {
                assertThatThrownBy(() -> queue.read(offset, ByteBuffer.allocate(512)))
                        .isInstanceOf(IndexOutOfBoundsException.class)
                        .hasMessage("512 bytes at offset " + offset + " of a disk of 700416 bytes");
            }
            assertThatThrownBy(() -> queue.status(700_416, 1)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> queue.status(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(record.requests(Operation.READ)).isEmpty();
        }
    }

    @Test
    void readOnlyDestinationsAreRefused() throws IOException {
        try (Disk disk = Disk.open(image(), RAW);
                DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            MemorySegment readOnly = arena.allocate(512).asReadOnly();
            assertThatThrownBy(() -> queue.read(0, readOnly)).isInstanceOf(IllegalArgumentException.class);
            ByteBuffer buffer = ByteBuffer.allocateDirect(512).asReadOnlyBuffer();
            assertThatThrownBy(() -> queue.read(0, buffer)).isInstanceOf(ReadOnlyBufferException.class);
        }
    }

    @Test
    void aClosedQueueOrDiskSaysSo() throws IOException {
        Disk disk = Disk.open(image(), RAW);
        DiskQueue closed = disk.openQueue();
        DiskQueue open = disk.openQueue();
        closed.close();
        closed.close();
        assertThatThrownBy(() -> closed.read(0, ByteBuffer.allocate(1)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
        open.read(0, ByteBuffer.allocate(1));
        disk.close();
        disk.close();
        assertThatThrownBy(() -> open.read(0, ByteBuffer.allocate(1))).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> open.status(0, 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(disk::openQueue)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("disk.raw");
        open.close();
    }

    /** A queue whose read waits at a gate until the test opens it. */
    private static Thread reader(DiskQueue queue, byte[] bytes, AtomicReference<Throwable> failure) {
        Thread thread = Thread.ofPlatform().start(() -> {
            try {
                queue.read(0, ByteBuffer.wrap(bytes));
            } catch (IOException | RuntimeException e) {
                failure.set(e);
            }
        });
        while (thread.isAlive() && thread.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        return thread;
    }

    @Test
    void closingWaitsForTheRequestInFlight() throws Exception {
        GateStorage gate = GateStorage.forReads(image(), 2);
        Disk disk = Disk.open(gate, RAW);
        byte[] bytes = new byte[1000];
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread reader = reader(disk.openQueue(), bytes, failure);
        Thread closer = Thread.ofPlatform().start(() -> {
            try {
                disk.close();
            } catch (IOException e) {
                failure.set(e);
            }
        });
        while (closer.isAlive() && closer.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertThat(closer.isAlive()).isTrue();
        gate.open();
        reader.join();
        closer.join();
        assertThat(failure.get()).isNull();
        assertThat(bytes).isEqualTo(Arrays.copyOf(content, 1000));
    }

    @Test
    void aSecondThreadInsideAQueueIsRefused() throws Exception {
        GateStorage gate = GateStorage.forReads(image(), 2);
        try (Disk disk = Disk.open(gate, RAW);
                DiskQueue queue = disk.openQueue()) {
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread reader = reader(queue, new byte[10], failure);
            assertThatThrownBy(() -> queue.read(0, ByteBuffer.allocate(1)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("two threads use one queue at once");
            gate.open();
            reader.join();
            assertThat(failure.get()).isNull();
            queue.read(0, ByteBuffer.allocate(1));
        }
    }

    @Test
    void aFailedReadLeavesTheQueueUsable() throws IOException {
        FaultStorage faulty = new FaultStorage(image());
        try (Disk disk = Disk.open(faulty, RAW);
                DiskQueue queue = disk.openQueue()) {
            faulty.add(Fault.of(Errno.EIO, Operation.READ).onlyNumber(1));
            ByteBuffer buffer = ByteBuffer.allocate(100);
            assertThatThrownBy(() -> queue.read(0, buffer)).isInstanceOf(StorageException.class);
            assertThat(buffer.position()).isZero();
            queue.read(0, buffer);
            assertThat(buffer.flip()).isEqualTo(ByteBuffer.wrap(content, 0, 100));
        }
    }

    @Test
    void runningOutOfDescriptorsLeavesNothingOpen() throws IOException {
        FaultStorage faulty = new FaultStorage(image());
        RecordStorage record = new RecordStorage(faulty);
        try (Disk disk = Disk.open(record, RAW)) {
            faulty.add(Fault.of(Errno.EMFILE, Operation.REOPEN).fromNumber(3));
            List<DiskQueue> queues = new ArrayList<>(List.of(disk.openQueue(), disk.openQueue()));
            assertThatThrownBy(disk::openQueue)
                    .isInstanceOfSatisfying(
                            StorageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EMFILE.number()));
            faulty.clear();
            queues.add(disk.openQueue());
            queues.get(2).read(0, ByteBuffer.allocate(10));
        }
        // Three queues and the disk's own handle.
        assertThat(record.requests(Operation.CLOSE)).hasSize(4);
    }

    @Test
    void theChannelIsAReadOnlyViewWithAPosition() throws IOException {
        Disk disk = Disk.open(image(), RAW);
        try (SeekableByteChannel channel = disk.openChannel()) {
            assertThat(channel.size()).isEqualTo(700_416);
            channel.position(700_000);
            ByteBuffer buffer = ByteBuffer.allocate(1000);
            assertThat(channel.read(buffer)).isEqualTo(416);
            assertThat(channel.read(buffer)).isEqualTo(-1);
            assertThat(channel.position()).isEqualTo(700_416);
            assertThat(channel.position(3).read(buffer.clear())).isEqualTo(1000);
            assertThat(buffer.flip()).isEqualTo(ByteBuffer.wrap(content, 3, 1000));
            assertThatThrownBy(() -> channel.write(buffer)).isInstanceOf(NonWritableChannelException.class);
            assertThatThrownBy(() -> channel.truncate(0)).isInstanceOf(NonWritableChannelException.class);
            disk.close();
            assertThat(channel.isOpen()).isFalse();
            assertThatThrownBy(() -> channel.read(buffer)).isInstanceOf(ClosedChannelException.class);
        }
    }
}
