package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** A raw disk is written in place, and does not become something else by what a guest writes. */
@EachEngine
class RawDiskTest {
    private static final byte[] MAGIC = {'Q', 'F', 'I', (byte) 0xfb};

    private final Engine engine;

    RawDiskTest(Engine engine) {
        this.engine = engine;
    }

    private static MemoryStorage raw() throws IOException {
        MemoryStorage file = new MemoryStorage("disk.raw");
        file.write(0, Arena.ofAuto().allocate(1 << 20).fill((byte) 7));
        return file;
    }

    @Test
    void aGuestCannotTurnAGuessedRawDiskIntoAnImage() throws IOException {
        try (Disk disk = Disk.open(raw(), DiskOptions.defaults().withWritable(true));
                Client queue = Client.of(engine, disk)) {
            assertThatThrownBy(() -> queue.write(0, ByteBuffer.wrap(MAGIC))).hasMessageContaining("format raw");
            queue.write(0, ByteBuffer.wrap(MAGIC, 0, 2));
            assertThatThrownBy(() -> queue.write(2, ByteBuffer.wrap(MAGIC, 2, 2)))
                    .hasMessageContaining("format raw");
            queue.write(512, ByteBuffer.wrap(MAGIC));
            ByteBuffer seen = ByteBuffer.allocate(4);
            queue.read(0, seen);
            assertThat(seen.array()).containsExactly('Q', 'F', 7, 7);
        }
    }

    @Test
    void whoSaysRawGetsRaw() throws IOException {
        try (Disk disk = Disk.open(
                        raw(), DiskOptions.defaults().withWritable(true).withFormat(ImageFormat.RAW));
                Client queue = Client.of(engine, disk)) {
            queue.write(0, ByteBuffer.wrap(MAGIC));
            queue.writeZeroes(4096, 4096, ZeroMode.KEEP_ALLOCATED);
            queue.discard(8192, 4096);
            queue.flush();
            disk.resize(2 << 20);
            ByteBuffer seen = ByteBuffer.allocate(4096);
            queue.read(0, seen);
            assertThat(seen.array()).startsWith(MAGIC);
            assertThat(seen.get(100)).isEqualTo((byte) 7);
            queue.read(4096, seen.clear());
            assertThat(seen.array()).containsOnly(0);
            queue.read((2 << 20) - 4096, seen.clear());
            assertThat(seen.array()).containsOnly(0);
        }
    }

    @Test
    void spaceIsTakenForWhatARawDiskGrowsBy() throws IOException {
        try (MemoryStorage file = raw();
                Disk disk = Disk.open(
                        file.reopen(), DiskOptions.defaults().withWritable(true).withFormat(ImageFormat.RAW))) {
            for (Preallocation way : Preallocation.values()) {
                long bytes = disk.sizeBytes() + (1 << 20) + 100;
                disk.resize(bytes, way);
                assertThat(disk.sizeBytes()).isEqualTo(bytes);
                assertThat(file.sizeBytes()).isEqualTo(bytes);
            }
            assertThatThrownBy(() -> disk.resize(1 << 20, Preallocation.FULL))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("does not grow");
        }
    }

    @Test
    void aRawDiskWithoutSpaceKeepsItsSize() throws IOException {
        FaultStorage full = new FaultStorage(raw(), Fault.of(Errno.ENOSPC, Operation.WRITE));
        try (Disk disk =
                Disk.open(full, DiskOptions.defaults().withWritable(true).withFormat(ImageFormat.RAW))) {
            assertThatThrownBy(() -> disk.resize(4 << 20, Preallocation.FULL)).hasMessageContaining("ENOSPC");
            assertThat(disk.sizeBytes()).isEqualTo(1 << 20);
            assertThat(full.sizeBytes()).isEqualTo(1 << 20);
        }
    }

    @Test
    void aRawDiskWhoseSizeDoesNotBecomeDurableKeepsItsSize() throws IOException {
        FaultStorage failing =
                new FaultStorage(raw(), Fault.of(Errno.EIO, Operation.SYNC).onlyNumber(1));
        try (Disk disk =
                Disk.open(failing, DiskOptions.defaults().withWritable(true).withFormat(ImageFormat.RAW))) {
            assertThatThrownBy(() -> disk.resize(4 << 20)).hasMessageContaining("EIO");
            assertThat(disk.sizeBytes()).isEqualTo(1 << 20);
            assertThat(failing.sizeBytes()).isEqualTo(1 << 20);
            // Nobody knows what became of writes from before.
            try (Client queue = Client.of(engine, disk)) {
                assertThatThrownBy(queue::flush).isInstanceOf(WriteStoppedException.class);
            }
        }
    }
}
