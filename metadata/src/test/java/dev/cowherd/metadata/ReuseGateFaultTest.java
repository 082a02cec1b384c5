package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.metadata.Allocator.Taken;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The reuse gate counts each reference off once, whatever operation of the host fails on the way. */
class ReuseGateFaultTest {
    private static final int BLOCKS = 5;
    /** Dropped in one run that lies in four blocks. */
    private static final long FIRST = CountedFile.BLOCK_CLUSTERS - 3;

    private static final long COUNT = 2L * CountedFile.BLOCK_CLUSTERS + 6;

    /** Opens a gate, failing the k-th of some operations, then once more on a host that is well again; whether there was a k-th. */
    private static boolean openWithFault(Allocator allocator, FaultStorage file, Operation operation, int k)
            throws IOException {
        LayerHandles handles = new LayerHandles(file, null);
        Epochs epochs = new Epochs();
        ReuseGate gate = new ReuseGate(epochs, allocator, 9, true);
        gate.add(List.of(new Dropped(FIRST, COUNT, epochs.stamp())));
        file.add(Fault.of(Errno.EIO, operation).onlyNumber(k));
        boolean failed = false;
        try {
            gate.open(handles);
        } catch (StorageException expected) {
            failed = true;
        }
        file.clear();
        gate.open(handles);
        assertThat(gate.isEmpty()).as("everything went through").isTrue();
        return failed;
    }

    @Test
    void aBlockThatCannotBeReadAmidARunCountsNoReferenceOffTwice() throws IOException {
        int k = 0;
        boolean failed;
        do {
            CountedFile image = new CountedFile(BLOCKS).count(FIRST, FIRST + COUNT, 3);
            FaultStorage file = new FaultStorage(image.file);
            Allocator allocator = image.allocator(Waits.PARK);
            failed = openWithFault(allocator, file, Operation.READ, ++k);
            for (long cluster = FIRST; cluster < FIRST + COUNT; cluster++) {
                assertThat(CountedFile.count(allocator, cluster, file))
                        .as("references to cluster %d after one of three was dropped, read %d failed", cluster, k)
                        .isEqualTo(2);
            }
        } while (failed);
        assertThat(k).as("one read a block, and the run after them").isEqualTo(5);
    }

    @Test
    void aFaultAmongLastReferencesFreesEachClusterOnce() throws IOException {
        for (Operation operation : List.of(Operation.READ, Operation.PUNCH_HOLE)) {
            int k = 0;
            boolean failed;
            do {
                CountedFile image = new CountedFile(BLOCKS).count(2 + BLOCKS, (long) BLOCKS * 64, 1);
                // Every third cluster has another owner, so there are many runs to punch.
                for (long cluster = FIRST; cluster < FIRST + COUNT; cluster += 3) {
                    image.count(cluster, 2);
                }
                FaultStorage file = new FaultStorage(image.file);
                Allocator allocator = image.allocator(Waits.PARK);
                failed = openWithFault(allocator, file, operation, ++k);
                assertFreeIsWhatHasNoOwner(allocator, file);
            } while (failed);
            assertThat(k).isGreaterThan(3);
        }
    }

    private static void assertFreeIsWhatHasNoOwner(Allocator allocator, FaultStorage file) throws IOException {
        Set<Long> free = new HashSet<>();
        for (long cluster = FIRST; cluster < FIRST + COUNT; cluster++) {
            if ((cluster - FIRST) % 3 == 0) {
                assertThat(CountedFile.count(allocator, cluster, file)).isEqualTo(1);
            } else {
                free.add(cluster);
            }
        }
        for (int left = free.size(); left > 0; left--) {
            Taken taken = allocator.take(1, null, file, CountedFile.NO_GROWTH);
            assertThat(free.remove(taken.cluster()))
                    .as("cluster %d is free, and handed out once", taken.cluster())
                    .isTrue();
        }
    }
}
