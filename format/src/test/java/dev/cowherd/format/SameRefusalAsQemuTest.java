package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What qemu-img refuses to open is refused here; what only we refuse is one of the faults we are stricter about. */
class SameRefusalAsQemuTest {
    /** Faults that QEMU reads as something else than they say; see the package's page. */
    private static final List<String> STRICTER = List.of(
            "beyond the end of the file",
            "where the header is",
            "a second one of type",
            "must be a multiple of 8",
            "the name has a NUL",
            "not valid UTF-8",
            "external data file extension",
            "raw external data without",
            "misplaced at",
            "is no cluster boundary");

    @TempDir
    private Path folder;

    static List<HostileHeaderTest.Hostile> hostile() {
        return HostileHeaderTest.all()
                .filter(hostile -> hostile.error() == UnsupportedImageException.class
                        || STRICTER.stream().noneMatch(hostile.says()::contains))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void theFaultsOfTheListAreFaultsForQemuToo(HostileHeaderTest.Hostile hostile) throws IOException {
        ByteBuffer bytes = image();
        hostile.damage().accept(bytes);
        String theirs = byQemu(bytes);
        boolean stricter = STRICTER.stream().anyMatch(String.valueOf(ours(bytes))::contains);
        assertThat(theirs != null || stricter).as("qemu-img: %s", theirs).isTrue();
    }

    @Test
    void mutatedHeadersAreRefusedIfQemuRefusesThem() {
        int[] accepted = {0};
        Cases.run(Integer.getInteger("cowherd.cases", 100), random -> {
            ByteBuffer bytes = image();
            for (int i = 1 + random.nextInt(2); i > 0; i--) {
                mutate(random, bytes);
            }
            String ours = ours(bytes);
            String theirs = byQemu(bytes);
            if (ours == null) {
                accepted[0]++;
                assertThat(theirs).isNull();
            } else if (theirs == null) {
                assertThat(STRICTER.stream().anyMatch(ours::contains)).as(ours).isTrue();
            }
        });
        assertThat(accepted[0]).isPositive();
    }

    private static void mutate(Random random, ByteBuffer bytes) {
        int field = List.of(
                        4, 8, 16, 20, 24, 32, 36, 40, 44, 48, 52, 56, 60, 64, 72, 76, 80, 88, 92, 96, 100, 104, 112,
                        116)
                .get(random.nextInt(24));
        switch (random.nextInt(3)) {
            case 0 -> bytes.put(field + random.nextInt(4), (byte) random.nextInt());
            case 1 -> bytes.putInt(field, bytes.getInt(field) ^ (1 << random.nextInt(32)));
            case 2 -> bytes.putInt(field, random.nextInt(200));
            default -> throw new AssertionError();
        }
    }

    /** The valid image with all its ten clusters; a snapshot table of zeros, and no L2 tables. */
    private static ByteBuffer image() {
        return ByteBuffer.allocate(10 * 65536).put(0, HostileHeaderTest.valid(), 0, 65536);
    }

    private static @Nullable String ours(ByteBuffer bytes) {
        try {
            Header.decode(bytes, bytes.limit());
            return null;
        } catch (ImageFormatException e) {
            return e.getMessage();
        }
    }

    private @Nullable String byQemu(ByteBuffer bytes) throws IOException {
        QemuImages qemu = new QemuImages(folder);
        byte[] content = new byte[bytes.limit()];
        bytes.get(0, content);
        Files.write(qemu.path("h.qcow2"), content);
        QemuImages.Result result =
                qemu.run("qemu-img", "info", "--image-opts", "driver=qcow2,file.driver=file,file.filename=h.qcow2");
        return result.exit() == 0 ? null : result.output();
    }
}
