package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Proves that one thread's requests wait for the host side by side, whatever they wait for: a storage lets an operation go only when
 * several are inside. Were one request to hold the thread, none would ever go.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OneThreadTest {
    private static final int REQUESTS = 6;
    private static final int CLUSTER_BYTES = 65_536;
    private static final int SLICE_BYTES = 4096;
    private static final long SLICE_GUEST_BYTES = 32 << 20;

    @TempDir
    Path folder;

    private static DiskOptions gated(Predicate<dev.cowherd.storage.filter.Request> held) {
        return gated("", held);
    }

    /** The gate stands before the files of that name. */
    private static DiskOptions gated(String name, Predicate<dev.cowherd.storage.filter.Request> held) {
        return gated(name, REQUESTS, held);
    }

    private static DiskOptions gated(String name, int number, Predicate<dev.cowherd.storage.filter.Request> held) {
        UnaryOperator<Storage> gate = storage -> storage.name().endsWith(name)
                ? new GateStorage(storage, held, number, Duration.ofSeconds(20))
                : storage;
        return DiskOptions.defaults().withWritable(true).withEngine(Engine.RING).withStorageFilter(gate);
    }

    private Path wide() throws Exception {
        Qemu qemu = new Qemu(folder);
        Path path = qemu.img("wide.qcow2", "create", "-f", "qcow2", "wide.qcow2", "256M");
        for (int i = 0; i < REQUESTS; i++) {
            qemu.io("wide.qcow2", "write -P " + (i + 1) + " " + i * SLICE_GUEST_BYTES + " 128k");
        }
        return path;
    }

    /** Reads the first bytes of each request's stretch, all at once. */
    private static void readAll(RequestQueue queue, int bytes, long step) throws IOException {
        List<MemorySegment> buffers = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            MemorySegment buffer = Arena.ofAuto().allocate(bytes, 8);
            buffers.add(buffer);
            queue.submit(new Request.Read(i, i * step, buffer));
        }
        awaitAll(queue);
        for (int i = 0; i < REQUESTS; i++) {
            assertThat(buffers.get(i).get(ValueLayout.JAVA_BYTE, bytes - 1)).isEqualTo((byte) (i + 1));
        }
    }

    private static void awaitAll(RequestQueue queue) throws IOException {
        while (queue.inFlight() > 0) {
            queue.await(
                    queue.inFlight(),
                    (token, failure) ->
                            assertThat(failure).as("request " + token).isNull());
        }
    }

    @Test
    void readsOfGuestBytes() throws Exception {
        Path path = wide();
        try (Disk disk = Disk.open(path, gated(r -> r.operation() == Operation.READ && r.length() == 1024));
                RequestQueue queue = disk.openRequestQueue(REQUESTS)) {
            readAll(queue, 1024, SLICE_GUEST_BYTES);
        }
    }

    @Test
    void loadsOfSlices() throws Exception {
        Path path = wide();
        try (Disk disk = Disk.open(path, gated(r -> r.operation() == Operation.READ && r.length() == SLICE_BYTES));
                RequestQueue queue = disk.openRequestQueue(REQUESTS)) {
            readAll(queue, 512, SLICE_GUEST_BYTES);
        }
    }

    @Test
    void writesInPlace() throws Exception {
        Path path = wide();
        try (Disk disk = Disk.open(path, gated(r -> r.operation() == Operation.WRITE && r.length() == 1024));
                RequestQueue queue = disk.openRequestQueue(REQUESTS)) {
            for (int i = 0; i < REQUESTS; i++) {
                queue.submit(new Request.Write(
                        i, i * SLICE_GUEST_BYTES, Arena.ofAuto().allocate(1024)));
            }
            awaitAll(queue);
        }
    }

    @Test
    void readsBelowForNewClusters() throws Exception {
        Qemu qemu = new Qemu(folder);
        qemu.random("base.raw", REQUESTS * CLUSTER_BYTES, 1);
        Path path = qemu.img("top.qcow2", "create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2");
        try (Disk disk = Disk.open(path, gated("base.raw", r -> r.operation() == Operation.READ));
                RequestQueue queue = disk.openRequestQueue(REQUESTS)) {
            for (int i = 0; i < REQUESTS; i++) {
                queue.submit(new Request.Write(
                        i, i * (long) CLUSTER_BYTES + 4096, Arena.ofAuto().allocate(512)));
            }
            awaitAll(queue);
        }
    }

    @Test
    void writesOfNewClusters() throws Exception {
        Qemu qemu = new Qemu(folder);
        Path path = qemu.img("new.qcow2", "create", "-f", "qcow2", "new.qcow2", "256M");
        try (Disk disk = Disk.open(
                        path,
                        gated(r -> r.operation() == Operation.WRITE
                                && r.length() == CLUSTER_BYTES
                                && r.offset() >= 5 * CLUSTER_BYTES));
                RequestQueue queue = disk.openRequestQueue(REQUESTS)) {
            MemorySegment cluster = Arena.ofAuto().allocate(CLUSTER_BYTES);
            for (int i = 0; i < REQUESTS; i++) {
                queue.submit(new Request.Write(i, i * (long) CLUSTER_BYTES, cluster));
            }
            awaitAll(queue);
        }
    }

    private static void readAtOnce(Path path, DiskOptions options, byte[] content) throws IOException {
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(1)) {
            MemorySegment all = Arena.ofAuto().allocate(content.length, 8);
            queue.submit(new Request.Read(0, 0, all));
            awaitAll(queue);
            assertThat(all.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(content);
        }
    }

    /** Every second cluster first, so that no two that follow each other are neighbours on the host. */
    @Test
    void theExtentsOfOneRead() throws Exception {
        Qemu qemu = new Qemu(folder);
        Path path = qemu.img("parts.qcow2", "create", "-f", "qcow2", "parts.qcow2", "1M");
        for (int i = 0; i < REQUESTS; i++) {
            int cluster = i * 2 % REQUESTS + i * 2 / REQUESTS;
            qemu.io("parts.qcow2", "write -P " + (cluster + 1) + " " + cluster * CLUSTER_BYTES + " 64k");
        }
        byte[] content = Arrays.copyOf(qemu.raw("parts.qcow2"), REQUESTS * CLUSTER_BYTES);
        readAtOnce(path, gated(r -> r.operation() == Operation.READ && r.offset() >= 5 * CLUSTER_BYTES), content);
    }

    @Test
    void theCompressedClustersOfOneRead() throws Exception {
        Qemu qemu = new Qemu(folder);
        byte[] content = qemu.compressible("plain.raw", REQUESTS * CLUSTER_BYTES, 5);
        Path path = qemu.img("packed.qcow2", "convert", "-c", "-O", "qcow2", "plain.raw", "packed.qcow2");
        readAtOnce(path, gated(r -> r.operation() == Operation.READ && r.offset() >= 5 * CLUSTER_BYTES), content);
    }

    @Test
    void whatOneReadFindsBelow() throws Exception {
        Qemu qemu = new Qemu(folder);
        qemu.random("base.raw", 2 * REQUESTS * CLUSTER_BYTES, 2);
        Path path = qemu.img("top.qcow2", "create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2");
        for (int i = 0; i < REQUESTS; i++) {
            qemu.io("top.qcow2", "write -P " + (i + 1) + " " + i * 2 * CLUSTER_BYTES + " 64k");
        }
        byte[] content = qemu.raw("top.qcow2");
        readAtOnce(path, gated("base.raw", r -> r.operation() == Operation.READ && r.length() > 512), content);
    }

    @Test
    void bothSidesOfANewCluster() throws Exception {
        Qemu qemu = new Qemu(folder);
        byte[] content = qemu.random("base.raw", CLUSTER_BYTES, 3);
        Path path = qemu.img("top.qcow2", "create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2");
        MemorySegment middle = Arena.ofAuto().allocate(40 << 10);
        try (Disk disk = Disk.open(path, gated("base.raw", 2, r -> r.operation() == Operation.READ));
                RequestQueue queue = disk.openRequestQueue(1)) {
            queue.submit(new Request.Write(0, 8 << 10, middle));
            awaitAll(queue);
        }
        Arrays.fill(content, 8 << 10, 48 << 10, (byte) 0);
        assertThat(qemu.raw("top.qcow2")).isEqualTo(content);
    }
}
