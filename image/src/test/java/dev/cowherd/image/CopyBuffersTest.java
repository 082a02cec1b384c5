package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A queue fills so many new clusters at once as there is memory for, and the writes that wait for it go on. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopyBuffersTest {
    private static final int CLUSTER_BYTES = 2 << 20;

    private static final int WRITES = 12;
    /** As many buffers of two clusters as there is memory for. */
    private static final int AT_ONCE = 4;

    @TempDir
    Path folder;

    @Test
    void buffersAreUsedAgainTheLastOneFirst() {
        try (Arena arena = Arena.ofConfined()) {
            CopyBuffers buffers = new CopyBuffers(arena, Waits.PARK, 65_536);
            Set<Long> addresses = new HashSet<>();
            for (int i = 0; i < 10; i++) {
                MemorySegment one = buffers.take();
                MemorySegment other = buffers.take();
                assertThat(one.byteSize()).isEqualTo(2 * 65_536);
                addresses.add(one.address());
                addresses.add(other.address());
                buffers.giveBack(other);
                buffers.giveBack(one);
                MemorySegment again = buffers.take();
                assertThat(again.address()).isEqualTo(one.address());
                buffers.giveBack(again);
            }
            assertThat(addresses).hasSize(2);
        }
    }

    private static boolean fills(dev.cowherd.storage.filter.Request request) {
        return request.operation() == Operation.READ && request.length() > 512;
    }

    /** How many fill a cluster at once; all on one thread. */
    private static final class Inside {
        int now;
        int most;
    }

    /** Counts who is inside. */
    private static final class Counted extends InterceptingStorage {
        private final Inside inside;

        Counted(Storage next, Inside inside) {
            super(next);
            this.inside = inside;
        }

        @Override
        protected void begin(dev.cowherd.storage.filter.Request request) {
            if (fills(request)) {
                inside.now++;
                inside.most = Math.max(inside.most, inside.now);
            }
        }

        @Override
        protected void end(dev.cowherd.storage.filter.Request request) {
            if (fills(request)) {
                inside.now--;
            }
        }

        @Override
        protected Counted around(Storage reopened) {
            return new Counted(reopened, inside);
        }
    }

    /** 12 writes at once, of which four have memory; those are met at the gate, four by four. */
    @Test
    void whoFindsNoneWaitsForOne() throws Exception {
        Qemu qemu = new Qemu(folder);
        byte[] content = qemu.random("base.raw", WRITES * CLUSTER_BYTES, 1);
        Path path = qemu.img(
                "top.qcow2",
                "create",
                "-f",
                "qcow2",
                "-o",
                "cluster_size=2M",
                "-b",
                "base.raw",
                "-F",
                "raw",
                "top.qcow2");
        Inside inside = new Inside();
        DiskOptions options = DiskOptions.defaults()
                .withWritable(true)
                .withEngine(Engine.RING)
                .withStorageFilter(storage -> storage.name().endsWith("base.raw")
                        ? new Counted(
                                new GateStorage(storage, CopyBuffersTest::fills, AT_ONCE, Duration.ofSeconds(20)),
                                inside)
                        : storage);
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(WRITES)) {
            for (int i = 0; i < WRITES; i++) {
                int at = i * CLUSTER_BYTES + 8192;
                Arrays.fill(content, at, at + 4096, (byte) (i + 1));
                MemorySegment bytes = Arena.ofAuto().allocate(4096).fill((byte) (i + 1));
                queue.submit(new Request.Write(i, at, bytes));
            }
            while (queue.inFlight() > 0) {
                queue.await(1, (token, failure) -> assertThat(failure).isNull());
            }
        }
        assertThat(inside.most).isEqualTo(AT_ONCE);
        assertThat(qemu.raw("top.qcow2")).isEqualTo(content);
    }
}
