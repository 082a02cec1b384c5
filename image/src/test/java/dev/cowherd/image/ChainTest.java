package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.UnsupportedImageException;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.RecordStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which files a chain opens, as which format, and what is said when it does not. */
class ChainTest {
    private static final DiskOptions DEFAULTS = DiskOptions.defaults();

    @TempDir
    Path folder;

    private Qemu qemu;

    @BeforeEach
    void inAFolder() throws IOException {
        qemu = new Qemu(Files.createDirectory(folder.resolve("images")));
    }

    private void create(String name, String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
        arguments.addAll(List.of(options));
        arguments.addAll(List.of(name, "1M"));
        qemu.img(name, arguments.toArray(String[]::new));
    }

    /** Sets what the image says of its backing file, without a look at that file. */
    private void rebase(String name, String backing, String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("rebase", "-u", "-b", backing));
        arguments.addAll(List.of(options));
        arguments.add(name);
        qemu.img(name, arguments.toArray(String[]::new));
    }

    /** QEMU makes no such images any more: the extension with the format becomes one that nobody knows. */
    private void forgetBackingFormat(String name) throws IOException {
        byte[] image = Files.readAllBytes(qemu.path(name));
        int at = 104;
        while (ByteBuffer.wrap(image).getInt(at) != 0xe2792aca) {
            at += 8;
        }
        image[at] = 0x11;
        Files.write(qemu.path(name), image);
    }

    private static List<String> open(Path path, DiskOptions options) throws IOException {
        try (Disk disk = Disk.open(path, options)) {
            bytes(disk, 0, 512);
            return disk.layers().stream()
                    .map(layer -> layer.format().formatName() + " "
                            + Path.of(layer.fileName()).getFileName())
                    .toList();
        }
    }

    /** What both engines read. */
    private static byte[] bytes(Disk disk, long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        try (DiskQueue queue = disk.openQueue()) {
            queue.read(offset, ByteBuffer.wrap(bytes));
        }
        byte[] again = new byte[length];
        try (Client queue = Client.of(Engine.RING, disk)) {
            queue.read(offset, ByteBuffer.wrap(again));
        }
        assertThat(again).isEqualTo(bytes);
        return bytes;
    }

    private void refused(String name, DiskOptions options, String... words) {
        assertThatThrownBy(() -> open(qemu.path(name), options))
                .isInstanceOf(ChainException.class)
                .hasMessageContainingAll(words)
                .hasMessageContaining(name);
    }

    @Test
    void aChainOpensFromTheTopDown() throws Exception {
        qemu.random("base.raw", 100_000, 1);
        create("mid.qcow2", "-b", "base.raw", "-F", "raw");
        create("top.qcow2", "-b", "mid.qcow2", "-F", "qcow2");
        assertThat(open(qemu.path("top.qcow2"), DEFAULTS))
                .containsExactly("qcow2 top.qcow2", "qcow2 mid.qcow2", "raw base.raw");
        assertThat(open(qemu.path("top.qcow2"), DEFAULTS.withoutBacking(true))).containsExactly("qcow2 top.qcow2");
        assertThatThrownBy(() -> open(qemu.path("top.qcow2"), DEFAULTS.withMaxChainDepth(2)))
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("mid.qcow2: the backing chain is longer than 2 layers");
    }

    @Test
    void aNamedFileMustReallyLieWhereTheCallerAllows() throws Exception {
        Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
        new Qemu(elsewhere).random("base.raw", 4096, 1);
        create("top.qcow2");
        rebase("top.qcow2", "../elsewhere/base.raw", "-F", "raw");
        refused("top.qcow2", DEFAULTS, "'../elsewhere/base.raw'", "outside", "allow that folder");
        assertThat(open(qemu.path("top.qcow2"), DEFAULTS.withBackingFolders(List.of(elsewhere))))
                .hasSize(2);
        rebase("top.qcow2", elsewhere.resolve("base.raw").toString(), "-F", "raw");
        refused("top.qcow2", DEFAULTS, "outside");
        rebase("top.qcow2", "file:" + elsewhere.resolve("base.raw"), "-F", "raw");
        refused("top.qcow2", DEFAULTS, "outside");
        assertThat(open(qemu.path("top.qcow2"), DEFAULTS.withBackingFolders(List.of(folder))))
                .hasSize(2);
        Files.createSymbolicLink(qemu.path("link.raw"), elsewhere.resolve("base.raw"));
        rebase("top.qcow2", "link.raw", "-F", "raw");
        refused(
                "top.qcow2",
                DEFAULTS,
                "'link.raw'",
                "outside",
                elsewhere.toRealPath().toString());
    }

    @Test
    void aLinkToAnImageLooksBesideTheLinkAndBesideTheImage() throws Exception {
        qemu.random("base.raw", 4096, 1);
        create("top.qcow2", "-b", "base.raw", "-F", "raw");
        Path links = Files.createDirectory(folder.resolve("links"));
        Files.createSymbolicLink(links.resolve("top.qcow2"), qemu.path("top.qcow2"));
        assertThatThrownBy(() -> open(links.resolve("top.qcow2"), DEFAULTS))
                .isInstanceOf(ChainException.class)
                .hasMessageContaining("missing");
        Files.createSymbolicLink(links.resolve("base.raw"), qemu.path("base.raw"));
        assertThat(open(links.resolve("top.qcow2"), DEFAULTS)).hasSize(2);
    }

    @Test
    void namesOfProtocolsAreNotFollowed() throws Exception {
        for (String name :
                List.of("nbd:localhost:10809", "nbd://localhost/x", "http://localhost/x.raw", "fat:/etc", "x:y")) {
            create("top.qcow2");
            rebase("top.qcow2", name, "-F", "raw");
            refused("top.qcow2", DEFAULTS, "'" + name + "'", "only local files");
        }
        create("top.qcow2");
        rebase("top.qcow2", "json:{\"driver\":\"null-co\"}", "-F", "raw");
        refused("top.qcow2", DEFAULTS, "only local files");
    }

    @Test
    void missingFilesAreNamedWithTheirImage() throws Exception {
        create("top.qcow2");
        rebase("top.qcow2", "gone.raw", "-F", "raw");
        refused(
                "top.qcow2",
                DEFAULTS,
                "backing file 'gone.raw'",
                "missing",
                qemu.path("gone.raw").toString());
    }

    @Test
    void loopsAreRefused() throws Exception {
        create("a.qcow2");
        create("b.qcow2", "-b", "a.qcow2", "-F", "qcow2");
        rebase("a.qcow2", "b.qcow2", "-F", "qcow2");
        refused("b.qcow2", DEFAULTS, "a.qcow2", "loop");
        rebase("a.qcow2", "a.qcow2", "-F", "qcow2");
        refused("a.qcow2", DEFAULTS, "loop");
        Files.createLink(qemu.path("hard.qcow2"), qemu.path("a.qcow2"));
        rebase("a.qcow2", "hard.qcow2", "-F", "qcow2");
        refused("a.qcow2", DEFAULTS, "loop");
    }

    @Test
    void theBackingFormatIsNeverGuessed() throws Exception {
        create("inner.qcow2");
        create("top.qcow2", "-b", "inner.qcow2", "-F", "qcow2");
        forgetBackingFormat("top.qcow2");
        refused("top.qcow2", DEFAULTS, "does not say which format", "'inner.qcow2'");
        assertThat(open(qemu.path("top.qcow2"), DEFAULTS.withUnnamedBackingAsRaw(true)))
                .containsExactly("qcow2 top.qcow2", "raw inner.qcow2");
        rebase("top.qcow2", "inner.qcow2", "-F", "raw");
        assertThat(open(qemu.path("top.qcow2"), DEFAULTS)).containsExactly("qcow2 top.qcow2", "raw inner.qcow2");
        rebase("top.qcow2", "inner.qcow2", "-F", "vmdk");
        assertThatThrownBy(() -> open(qemu.path("top.qcow2"), DEFAULTS))
                .isInstanceOf(UnsupportedImageException.class)
                .hasMessageContainingAll("top.qcow2", "'vmdk'");
    }

    @Test
    void theTopFormatIsTheCallersOrTheMagics() throws Exception {
        create("top.qcow2");
        qemu.random("disk.raw", 4096, 1);
        List<String> warnings = new ArrayList<>();
        DiskOptions options = DEFAULTS.withWarnings(warnings::add);
        assertThat(open(qemu.path("top.qcow2"), options)).containsExactly("qcow2 top.qcow2");
        assertThat(open(qemu.path("top.qcow2"), options.withFormat(ImageFormat.RAW)))
                .containsExactly("raw top.qcow2");
        assertThat(open(qemu.path("disk.raw"), options.withFormat(ImageFormat.RAW)))
                .containsExactly("raw disk.raw");
        assertThat(warnings).isEmpty();
        assertThat(open(qemu.path("disk.raw"), options)).containsExactly("raw disk.raw");
        assertThat(warnings).singleElement().asString().contains("disk.raw", "raw");
        assertThatThrownBy(() -> open(qemu.path("disk.raw"), options.withFormat(ImageFormat.QCOW2)))
                .hasMessageContaining("disk.raw");
    }

    @Test
    void snapshotsAreReadByIdOrName() throws Exception {
        create("s.qcow2");
        qemu.io("s.qcow2", "write -P 1 0 64k");
        qemu.img("s.qcow2", "snapshot", "-c", "first", "s.qcow2");
        qemu.io("s.qcow2", "write -P 2 0 64k");
        for (String wanted : List.of("1", "first")) {
            try (Disk disk = Disk.open(qemu.path("s.qcow2"), DEFAULTS.withSnapshot(wanted))) {
                assertThat(bytes(disk, 60_000, 10)).containsOnly(1);
                assertThat(disk.layers().get(0).snapshots())
                        .singleElement()
                        .extracting("name")
                        .isEqualTo("first");
            }
        }
        refused("s.qcow2", DEFAULTS.withSnapshot("second"), "no snapshot", "'second'");
    }

    @Test
    void encryptionIsRefusedByName() throws Exception {
        create(
                "luks.qcow2",
                "--object",
                "secret,id=s,data=secret",
                "-o",
                "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10");
        assertThatThrownBy(() -> open(qemu.path("luks.qcow2"), DEFAULTS))
                .isInstanceOf(UnsupportedImageException.class)
                .hasMessageContainingAll("luks.qcow2", "LUKS");
    }

    @Test
    void aFailedOpenClosesEveryFile() throws Exception {
        qemu.random("base.raw", 4096, 1);
        create("mid.qcow2", "-b", "base.raw", "-F", "raw");
        create("top.qcow2", "-b", "mid.qcow2", "-F", "qcow2");
        Files.delete(qemu.path("base.raw"));
        List<RecordStorage> opened = new ArrayList<>();
        DiskOptions options = DEFAULTS.withStorageFilter(storage -> {
            opened.add(new RecordStorage(storage));
            return opened.getLast();
        });
        refused("mid.qcow2", options, "missing");
        assertThatThrownBy(() -> open(qemu.path("top.qcow2"), options)).isInstanceOf(ChainException.class);
        assertThat(opened)
                .hasSize(3)
                .allSatisfy(storage -> assertThatThrownBy(storage::sizeBytes)
                        .isInstanceOf(StorageException.class)
                        .hasMessageContaining("closed"));
    }

    @Test
    void foldersAndPipesAreNoImages() throws Exception {
        assertThatThrownBy(() -> open(folder, DEFAULTS)).isInstanceOf(StorageException.class);
        qemu.run("mkfifo", "pipe");
        create("top.qcow2");
        rebase("top.qcow2", "pipe", "-F", "raw");
        refused("top.qcow2", DEFAULTS, "backing file cannot be opened", "pipe");
    }
}
