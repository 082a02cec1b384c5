package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.assertj.core.api.Assertions;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract, on a block device: a loop device where this user may make one. */
class BlockDeviceContractTest extends StorageContract {
    @TempDir
    Path folder;

    private @Nullable String device;

    CacheMode cacheMode() {
        return CacheMode.WRITEBACK;
    }

    @Override
    boolean canChangeSize() {
        return false;
    }

    @Override
    Storage create() throws IOException {
        return asAsked(FileStorage.open(loopDevice(), FileOptions.writing().withCacheMode(cacheMode())));
    }

    /** The device as whoever asks has it. */
    Storage asAsked(Storage device) {
        return device;
    }

    private Path loopDevice() throws IOException {
        Path file = folder.resolve("disk");
        try (RandomAccessFile disk = new RandomAccessFile(file.toFile(), "rw")) {
            disk.setLength(ROOM);
        }
        try {
            Process losetup = new ProcessBuilder("/usr/sbin/losetup", "--find", "--show", file.toString()).start();
            String answer = new String(losetup.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            assumeTrue(
                    answer.startsWith("/dev/loop"),
                    "losetup makes no loop device here (it needs root and the loop module)");
            device = answer;
            return Path.of(answer);
        } catch (IOException e) {
            assumeTrue(false, "no losetup on this machine: " + e.getMessage());
            throw e;
        }
    }

    /** Runs before the storage is closed; the kernel then detaches the device at its last close. */
    @AfterEach
    void detach() throws Exception {
        if (device != null) {
            new ProcessBuilder("/usr/sbin/losetup", "--detach", device).start().waitFor();
        }
    }

    @Test
    void aWritePastTheDevicesEndFailsWithTheHostsErrno() throws IOException {
        try (Storage disk = asAsked(FileStorage.open(
                Path.of(java.util.Objects.requireNonNull(device)),
                FileOptions.writing().withLock(LockMode.NONE)))) {
            Assertions.assertThat(disk.sizeBytes()).isEqualTo(ROOM);
            assertThatThrownBy(() -> disk.write(ROOM, Arena.ofAuto().allocate(4096)))
                    .isInstanceOfSatisfying(StorageException.class, e -> {
                        Assertions.assertThat(e.errno()).isEqualTo(Errno.ENOSPC.number());
                        Assertions.assertThat(e.offset()).isEqualTo(ROOM);
                        Assertions.assertThat(e.operation()).isEqualTo("pwrite");
                    })
                    .hasMessageEndingWith("pwrite at offset 262144: No space left on device (ENOSPC)");
            assertThatThrownBy(() -> disk.truncate(ROOM + 1L)).hasMessageContaining("a block device cannot grow");
        }
    }
}
