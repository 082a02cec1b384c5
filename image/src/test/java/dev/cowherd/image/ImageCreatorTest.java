package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.CompressionType;
import dev.cowherd.format.Header;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** New images are whole and durable or not there; what cannot be made is refused before anything is touched. */
class ImageCreatorTest {
    private static final CreateOptions SMALL = CreateOptions.ofSize(1 << 20).build();

    @TempDir
    private Path folder;

    @Test
    void anImageInMemoryIsTheFileByteForByte() throws IOException {
        for (Preallocation preallocation : Preallocation.values()) {
            CreateOptions options = CreateOptions.ofSize(300 * 512)
                    .clusterBits(9)
                    .refcountOrder(5)
                    .preallocation(preallocation)
                    .build();
            MemoryStorage memory = new MemoryStorage("memory");
            ImageCreator.create(memory, null, options);
            Path file = folder.resolve(preallocation + ".qcow2");
            ImageCreator.create(file, options);
            assertThat(bytesOf(memory)).isEqualTo(Files.readAllBytes(file));
        }
    }

    @Test
    void allIsDurableBeforeTheHeaderAndTheHeaderBeforeTheReturn() throws IOException {
        RecordStorage record = new RecordStorage(new MemoryStorage("memory"));
        ImageCreator.create(record, null, SMALL);
        List<Operation> changes = record.requests().stream()
                .map(request -> request.operation())
                .filter(operation -> operation == Operation.WRITE || operation == Operation.SYNC)
                .toList();
        int last = changes.size() - 1;
        assertThat(changes.subList(last - 2, last + 1))
                .containsExactly(Operation.SYNC, Operation.WRITE, Operation.SYNC);
        assertThat(record.requests().stream()
                        .filter(request -> request.operation() == Operation.WRITE && request.offset() == 0))
                .as("writes of the header")
                .hasSize(1);
    }

    @Test
    void aFaultAtAnyOperationLeavesNoImage() throws IOException {
        for (Preallocation preallocation : Preallocation.values()) {
            CreateOptions options = CreateOptions.ofSize(1 << 20)
                    .clusterBits(12)
                    .preallocation(preallocation)
                    .build();
            int k = 1;
            while (failsAt(k, options)) {
                k++;
            }
            assertThat(k).as("operations of %s", preallocation).isGreaterThan(4);
        }
    }

    /** Whether there is a k-th operation to fail; the last sync may fail after the header was written, but then it is said. */
    private static boolean failsAt(int k, CreateOptions options) throws IOException {
        MemoryStorage memory = new MemoryStorage("memory");
        FaultStorage faulty = new FaultStorage(
                memory,
                Fault.of(
                                Errno.EIO,
                                Operation.WRITE,
                                Operation.SYNC,
                                Operation.TRUNCATE,
                                Operation.ALLOCATE,
                                Operation.ZERO)
                        .onlyNumber(k));
        try {
            ImageCreator.create(faulty, null, options);
            return false;
        } catch (StorageException e) {
            byte[] left = bytesOf(memory);
            boolean headerWritten = left.length > 3 && left[0] == 'Q';
            if (headerWritten) {
                assertThat(e.operation()).contains("SYNC");
            }
            return true;
        }
    }

    @Test
    void whatADeviceHeldBeforeIsNotSeen() throws IOException {
        for (Preallocation preallocation : Preallocation.values()) {
            MemoryStorage device = new MemoryStorage("device");
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment old = arena.allocate(4 << 20);
                old.fill((byte) 0x5a);
                device.write(0, old);
            }
            CreateOptions options = CreateOptions.ofSize(2 << 20)
                    .clusterBits(10)
                    .preallocation(preallocation)
                    .build();
            ImageCreator.create(device, null, options);
            try (Disk disk = Disk.open(device, DiskOptions.defaults());
                    DiskQueue queue = disk.openQueue()) {
                ByteBuffer read = ByteBuffer.allocate(2 << 20);
                queue.read(0, read);
                assertThat(read.array()).containsOnly(0);
            }
        }
    }

    @Test
    void aFileThatIsInUseIsLeftAlone() throws IOException {
        Path image = folder.resolve("used.qcow2");
        ImageCreator.create(image, SMALL);
        byte[] before = Files.readAllBytes(image);
        try (Storage held = FileStorage.open(image, FileOptions.writing())) {
            assertThat(held.sizeBytes()).isPositive();
            assertThatThrownBy(() -> ImageCreator.create(image, SMALL))
                    .isInstanceOf(StorageException.class)
                    .hasMessageContaining("lock");
        }
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }

    @Test
    void whatWasMadeIsRemovedWhenTheRestFails() {
        Path image = folder.resolve("new.qcow2");
        CreateOptions options = CreateOptions.ofSize(1 << 20)
                .dataFile("no/such/folder/data", false)
                .build();
        assertThatThrownBy(() -> ImageCreator.create(image, options)).isInstanceOf(StorageException.class);
        assertThat(image).doesNotExist();
        assertThatThrownBy(() -> ImageCreator.create(folder.resolve("no/folder"), SMALL))
                .isInstanceOf(StorageException.class);
    }

    @Test
    void aDataFileLiesWhereOpeningLooksForIt() throws IOException {
        Path image = folder.resolve("with-data.qcow2");
        ImageCreator.create(
                image, CreateOptions.ofSize(1 << 20).dataFile("guest.raw", true).build());
        assertThat(folder.resolve("guest.raw")).hasSize(1 << 20);
        try (Disk disk = Disk.open(image, DiskOptions.defaults())) {
            assertThat(disk.sizeBytes()).isEqualTo(1 << 20);
        }
    }

    @Test
    void optionsThatCannotWorkAreRefusedBeforeAFileIsTouched() {
        refused("must be a multiple of 512", CreateOptions.ofSize(1000));
        refused("power of two between 512 and 2048k", CreateOptions.ofSize(0).clusterBits(8));
        refused("power of two between 512 and 2048k", CreateOptions.ofSize(0).clusterBits(22));
        refused("may not exceed 64 bits", CreateOptions.ofSize(0).refcountOrder(7));
        refused("Different refcount widths", CreateOptions.ofSize(0).version(2).refcountOrder(3));
        refused("Extended L2", CreateOptions.ofSize(0).version(2).extendedL2(true));
        refused("at least 16384 bytes", CreateOptions.ofSize(0).extendedL2(true).clusterBits(13));
        refused("Lazy refcounts", CreateOptions.ofSize(0).version(2).lazyRefcounts(true));
        refused("Non-zlib", CreateOptions.ofSize(0).version(2).compressionType(CompressionType.ZSTD));
        refused("External data files", CreateOptions.ofSize(0).version(2).dataFile("d", false));
        refused("data-file-raw requires", CreateOptions.ofSize(0).dataFile(null, true));
        refused("at the same time", CreateOptions.ofSize(0).dataFile("d", true).backing("b", "raw"));
        refused(
                "if extended_l2 is on",
                CreateOptions.ofSize(0).backing("b", "raw").preallocation(Preallocation.FULL));
        refused("without backing file", CreateOptions.ofSize(0).backing(null, "raw"));
        refused("longer than 1023", CreateOptions.ofSize(0).backing("b".repeat(1024), "raw"));
        refused("too large", CreateOptions.ofSize(129L << 30).clusterBits(9));
        refused("too large", CreateOptions.ofSize(Long.MAX_VALUE & -512));
    }

    private static void refused(String message, CreateOptions.Builder options) {
        assertThatThrownBy(options::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void whatTheFormatCannotHoldIsRefusedBeforeAFileIsTouched() {
        Path image = folder.resolve("none.qcow2");
        CreateOptions longName = CreateOptions.ofSize(1 << 20)
                .clusterBits(9)
                .backing("b".repeat(600), "raw")
                .build();
        assertThatThrownBy(() -> ImageCreator.create(image, longName)).isInstanceOf(IllegalArgumentException.class);
        CreateOptions huge = CreateOptions.ofSize(1L << 60)
                .clusterBits(21)
                .preallocation(Preallocation.METADATA)
                .build();
        assertThatThrownBy(() -> ImageCreator.create(image, huge))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("too large");
        assertThat(image).doesNotExist();
    }

    @Test
    void theLargestDiskOfSmallClustersOpens() throws IOException {
        MemoryStorage memory = new MemoryStorage("memory");
        ImageCreator.create(
                memory, null, CreateOptions.ofSize(128L << 30).clusterBits(9).build());
        assertThat(Header.hasMagic(ByteBuffer.wrap(bytesOf(memory)))).isTrue();
        try (Disk disk = Disk.open(memory, DiskOptions.defaults())) {
            assertThat(disk.sizeBytes()).isEqualTo(128L << 30);
        }
    }

    private static byte[] bytesOf(Storage storage) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes =
                    arena.allocate(Math.max(1, storage.sizeBytes())).asSlice(0, storage.sizeBytes());
            storage.read(0, bytes);
            return bytes.toArray(ValueLayout.JAVA_BYTE);
        }
    }
}
