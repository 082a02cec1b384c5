package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.testkit.QemuImg;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Threads really work at the same time, on L2 tables and on refcounts, and a failure of any of them ends the check. */
class ParallelCheckTest {
    private static final int CLUSTER_BYTES = 4096;
    private static final CheckOptions TWO_THREADS = new CheckOptions(2, 64 << 20);

    @TempDir
    static Path folder;

    private static Path image;
    private static final Set<Long> L2_TABLES = new HashSet<>();
    private static final Set<Long> REFCOUNT_BLOCKS = new HashSet<>();

    @BeforeAll
    static void makeImage() throws IOException {
        image = folder.resolve("metadata.qcow2");
        QemuImg.v10().create(image, "1G", "-o", "cluster_size=" + CLUSTER_BYTES + ",preallocation=metadata");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
            file.seek(36);
            int l1Entries = file.readInt();
            words(file, file.readLong(), l1Entries, L2_TABLES);
            file.seek(48);
            words(file, file.readLong(), 64, REFCOUNT_BLOCKS);
        }
    }

    private static void words(RandomAccessFile file, long offset, int count, Set<Long> into) throws IOException {
        file.seek(offset);
        for (int i = 0; i < count; i++) {
            into.add(file.readLong() & 0x00ff_ffff_ffff_fe00L);
        }
    }

    @Test
    void twoL2TablesAreReadAtOnce() throws IOException {
        requireMeeting(L2_TABLES);
    }

    @Test
    void twoRefcountBlocksAreReadAtOnce() throws IOException {
        requireMeeting(REFCOUNT_BLOCKS);
    }

    /** The first two reads of such a place end only when both have begun. */
    private static void requireMeeting(Set<Long> places) throws IOException {
        AtomicInteger begun = new AtomicInteger();
        try (Storage file = FileStorage.open(image, FileOptions.reading());
                GateStorage gate = new GateStorage(
                        file,
                        request -> request.operation() == Operation.READ
                                && places.contains(request.offset())
                                && begun.incrementAndGet() <= 2,
                        2,
                        Duration.ofSeconds(30))) {
            CheckReport report = ImageCheck.run(gate, TWO_THREADS, CheckListener.SILENT);
            assertThat(report.isClean()).isTrue();
            assertThat(gate.meetings()).isEqualTo(1);
        }
    }

    @Test
    void aFailedReadEndsTheCheckOnEveryThread() throws IOException {
        long reads = 0;
        for (int failing = 1; failing < 500; failing += 1 + failing / 3) {
            Fault fault = Fault.of(Errno.EIO, Operation.READ).onlyNumber(failing);
            try (Storage file = FileStorage.open(image, FileOptions.reading());
                    Storage broken = new FaultStorage(file, fault)) {
                assertThatThrownBy(() -> ImageCheck.run(broken, TWO_THREADS, CheckListener.SILENT))
                        .isInstanceOf(StorageException.class)
                        .hasMessageContaining("injected fault");
                reads++;
            }
        }
        assertThat(reads).isGreaterThan(10);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void progressNeverGoesBackAndEndsAtOne(int threads) throws IOException {
        List<Double> told = new ArrayList<>();
        CheckListener listener = new CheckListener() {
            @Override
            public void found(String line) {
                throw new AssertionError(line);
            }

            @Override
            public void progress(double fraction) {
                told.add(fraction);
            }
        };
        try (Storage file = FileStorage.open(image, FileOptions.reading())) {
            ImageCheck.run(file, new CheckOptions(threads, 64 << 20), listener);
        }
        // The calling thread tells after each of its own steps; beside others nothing says how many of them are its
        // own.
        assertThat(told).isSorted().startsWith(0.0).endsWith(1.0).hasSizeGreaterThan(threads == 1 ? 3 : 1);
    }
}
