package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU and we exclude each other exactly as two QEMUs do; so do two opens in this process. */
@SuppressWarnings("try") // a holder holds by being open
class ImageLocksTest {
    @TempDir
    Path folder;

    private Path image;

    @BeforeEach
    void createImage() throws Exception {
        image = folder.resolve("image.qcow2");
        List<Path> qemus = QemuHolder.installations();
        if (qemus.isEmpty()) {
            Files.write(image, new byte[1 << 20]);
        } else {
            assertThat(QemuHolder.run(qemus.getFirst(), "qemu-img", "create", "-f", "qcow2", image.toString(), "16M"))
                    .startsWith("0");
        }
    }

    private static List<Path> qemus() {
        List<Path> found = QemuHolder.installations();
        assumeFalse(found.isEmpty(), "no QEMU on this machine: run scripts/peers");
        return found;
    }

    private void open(FileOptions options) throws IOException {
        FileStorage.open(image, options).close();
    }

    @Test
    void aReaderIsRefusedWhileQemuWrites() throws Exception {
        for (Path qemu : qemus()) {
            try (QemuHolder holder = QemuHolder.open(qemu, image, "-f", "qcow2")) {
                assertThatThrownBy(() -> open(FileOptions.reading()))
                        .isInstanceOf(StorageException.class)
                        .hasMessageContaining("Failed to get shared \"write\" lock")
                        .hasMessageContaining("is another process using the image?")
                        .hasMessageContaining("-U");
                assertThatThrownBy(() -> open(FileOptions.writing()))
                        .hasMessageContaining("Failed to get \"write\" lock");
                open(FileOptions.reading().withLock(LockMode.NONE));
            }
            open(FileOptions.writing());
        }
    }

    @Test
    void aWriterIsRefusedAndAReaderWelcomeWhileQemuReads() throws Exception {
        for (Path qemu : qemus()) {
            try (QemuHolder holder = QemuHolder.open(qemu, image, "-r", "-f", "qcow2")) {
                open(FileOptions.reading());
                assertThatThrownBy(() -> open(FileOptions.writing()))
                        .isInstanceOf(StorageException.class)
                        .hasMessageContaining("Failed to get \"write\" lock");
            }
        }
    }

    @Test
    void qemuThatSharesByForceLetsAWriterIn() throws Exception {
        for (Path qemu : qemus()) {
            try (QemuHolder holder = QemuHolder.open(qemu, image, "-r", "-U", "-f", "qcow2")) {
                open(FileOptions.writing());
            }
        }
    }

    @Test
    void qemuIsRefusedWhileWeWriteUnlessItSharesByForce() throws Exception {
        for (Path qemu : qemus()) {
            try (Storage held = FileStorage.open(image, FileOptions.writing())) {
                assertThat(QemuHolder.run(qemu, "qemu-img", "info", image.toString()))
                        .startsWith("1")
                        .contains("Failed to get shared \"write\" lock");
                assertThat(QemuHolder.run(qemu, "qemu-io", "-f", "qcow2", "-c", "read 0 512", image.toString()))
                        .startsWith("1")
                        .contains("Failed to get \"write\" lock");
                assertThat(QemuHolder.run(qemu, "qemu-img", "info", "-U", image.toString()))
                        .startsWith("0");
                assertThat(held.sizeBytes()).isPositive();
            }
            assertThat(QemuHolder.run(qemu, "qemu-img", "info", image.toString()))
                    .startsWith("0");
        }
    }

    @Test
    void qemuMayReadButNotWriteWhileWeRead() throws Exception {
        for (Path qemu : qemus()) {
            try (Storage held = FileStorage.open(image, FileOptions.reading())) {
                assertThat(QemuHolder.run(qemu, "qemu-img", "info", image.toString()))
                        .startsWith("0");
                assertThat(QemuHolder.run(qemu, "qemu-io", "-f", "qcow2", "-c", "write 0 512", image.toString()))
                        .startsWith("1")
                        .contains("Failed to get \"write\" lock");
                assertThat(held.sizeBytes()).isPositive();
            }
        }
    }

    @Test
    void qemuMayDoAnythingWhileWeShareByForce() throws Exception {
        for (Path qemu : qemus()) {
            try (Storage held = FileStorage.open(image, FileOptions.reading().withLock(LockMode.NONE))) {
                assertThat(QemuHolder.run(qemu, "qemu-io", "-f", "qcow2", "-c", "write 0 512", image.toString()))
                        .startsWith("0");
                assertThat(held.sizeBytes()).isPositive();
            }
        }
    }

    @Test
    void twoOpensInOneProcessExcludeEachOtherAndTwoReadersDoNot() throws IOException {
        try (Storage reader = FileStorage.open(image, FileOptions.reading());
                Storage second = FileStorage.open(image, FileOptions.reading())) {
            assertThat(reader.sizeBytes()).isEqualTo(second.sizeBytes());
            assertThatThrownBy(() -> open(FileOptions.writing())).hasMessageContaining("Failed to get \"write\" lock");
        }
        try (Storage writer = FileStorage.open(image, FileOptions.writing())) {
            assertThatThrownBy(() -> open(FileOptions.reading()))
                    .hasMessageContaining("Failed to get shared \"write\" lock");
            assertThatThrownBy(() -> open(FileOptions.writing())).hasMessageContaining("lock");
            assertThat(writer.sizeBytes()).isPositive();
        }
    }

    @Test
    void locksStayWithTheFirstHandleAndReopenedHandlesDoNotConflict() throws IOException {
        Storage first = FileStorage.open(image, FileOptions.writing());
        try (Storage second = first.reopen();
                Storage third = second.reopen()) {
            assertThat(third.sizeBytes()).isEqualTo(second.sizeBytes());
            second.close();
            assertThatThrownBy(() -> open(FileOptions.reading())).isInstanceOf(StorageException.class);
            first.close();
            open(FileOptions.reading());
        } finally {
            first.close();
        }
    }
}
