package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.DetectZeroes;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import dev.cowherd.storage.filter.Request;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What one request of a guest costs in requests to the host: as few as can be, and nothing from below that is not needed. */
@EachEngine
class HostRequestsTest {
    private static final int CLUSTER = 65536;
    private static final int SUBCLUSTER = CLUSTER / 32;
    private static final int DISK = 64 * CLUSTER;

    @TempDir
    Path folder;

    private final Engine engine;
    private final Map<String, RecordStorage> files = new HashMap<>();

    HostRequestsTest(Engine engine) {
        this.engine = engine;
    }

    private Disk open(boolean overlay, boolean extended, DetectZeroes detect) throws IOException {
        CreateOptions.Builder options =
                CreateOptions.ofSize(DISK).clusterBits(16).extendedL2(extended);
        if (overlay) {
            Path below =
                    Files.write(folder.resolve("below.raw"), filled(DISK, 5).toArray(ValueLayout.JAVA_BYTE));
            options = options.backing(below.toString(), "raw");
        }
        Path image = folder.resolve("image.qcow2");
        ImageCreator.create(image, options.build());
        Disk disk = Disk.open(
                image,
                DiskOptions.defaults()
                        .withWritable(true)
                        .withDetectZeroes(detect)
                        .withPunchHoles(true)
                        .withStorageFilter(file -> {
                            RecordStorage record = new RecordStorage(file);
                            files.put(Path.of(file.name()).getFileName().toString(), record);
                            return record;
                        }));
        // The first write brings tables that each later one finds.
        try (DiskQueue queue = disk.openQueue()) {
            queue.write(DISK - CLUSTER, filled(CLUSTER, 1));
        }
        files.values().forEach(RecordStorage::forget);
        return disk;
    }

    private static MemorySegment filled(int bytes, int value) {
        return Arena.ofAuto().allocate(bytes, 4096).fill((byte) value);
    }

    private List<Request> requests(String file, Operation operation) {
        return Objects.requireNonNull(files.get(file)).requests(operation);
    }

    @Test
    void newClustersOfOneRequestLieSideBySideAndAreWrittenAtOnce() throws IOException {
        try (Disk disk = open(false, false, DetectZeroes.OFF);
                Guest guest = Guest.of(engine, disk)) {
            guest.write(3 * CLUSTER, filled(16 * CLUSTER, 7));
            assertThat(requests("image.qcow2", Operation.WRITE))
                    .extracting(Request::length)
                    .containsExactly(16L * CLUSTER);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 4096", "4096, 4096", "61440, 4096", "512, 512"})
    void aCopyUpIsOneWriteOfTheHost(int from, int length) throws IOException {
        try (Disk disk = open(true, false, DetectZeroes.OFF);
                Guest guest = Guest.of(engine, disk)) {
            guest.write(3 * CLUSTER + from, filled(length, 7));
            assertThat(requests("image.qcow2", Operation.WRITE))
                    .extracting(Request::length)
                    .containsExactly((long) CLUSTER);
        }
    }

    @Test
    void whatAWriteCoversIsNotReadFromBelow() throws IOException {
        try (Disk disk = open(true, false, DetectZeroes.OFF);
                Guest guest = Guest.of(engine, disk)) {
            guest.write(3 * CLUSTER, filled(2 * CLUSTER, 7));
            assertThat(requests("below.raw", Operation.READ)).isEmpty();
            guest.write(8 * CLUSTER, filled(CLUSTER - 4096, 7));
            guest.write(10 * CLUSTER, filled(4096, 7));
            assertThat(requests("below.raw", Operation.READ))
                    .extracting(Request::offset, Request::length)
                    .containsExactly(tuple(9L * CLUSTER - 4096, 4096L), tuple(10L * CLUSTER + 4096, CLUSTER - 4096L));
        }
    }

    @Test
    void withSubclustersOnlyTheRestOfOneIsReadFromBelow() throws IOException {
        try (Disk disk = open(true, true, DetectZeroes.OFF);
                Guest guest = Guest.of(engine, disk)) {
            guest.write(3 * CLUSTER + 4 * SUBCLUSTER, filled(SUBCLUSTER, 7));
            assertThat(requests("below.raw", Operation.READ)).isEmpty();
            guest.write(3 * CLUSTER + 9 * SUBCLUSTER, filled(512, 7));
            assertThat(requests("below.raw", Operation.READ))
                    .allSatisfy(read -> {
                        assertThat(read.offset()).isGreaterThanOrEqualTo(3L * CLUSTER + 9 * SUBCLUSTER);
                        assertThat(read.offset() + read.length()).isLessThanOrEqualTo(3L * CLUSTER + 10 * SUBCLUSTER);
                    })
                    .isNotEmpty();
        }
    }

    /** QEMU's three ways: zeros are bytes, a mark that keeps the place, or a mark that gives the place back. */
    @ParameterizedTest
    @CsvSource({"OFF, true, 0", "ON, false, 0", "UNMAP, false, 1"})
    void zerosAreWrittenMarkedOrGivenBack(DetectZeroes detect, boolean written, int holes) throws IOException {
        try (Disk disk = open(false, false, detect);
                Guest guest = Guest.of(engine, disk)) {
            guest.write(3 * CLUSTER, filled(CLUSTER, 7));
            guest.flush();
            files.values().forEach(RecordStorage::forget);
            guest.write(3 * CLUSTER, filled(CLUSTER, 0));
            assertThat(requests("image.qcow2", Operation.WRITE).stream().anyMatch(write -> write.length() == CLUSTER))
                    .isEqualTo(written);
            guest.flush();
            guest.flush();
            assertThat(requests("image.qcow2", Operation.PUNCH_HOLE)).hasSize(holes);
            MemorySegment read = filled(CLUSTER, 9);
            guest.read(3 * CLUSTER, read);
            assertThat(read.mismatch(filled(CLUSTER, 0))).isEqualTo(-1);
        }
    }
}
