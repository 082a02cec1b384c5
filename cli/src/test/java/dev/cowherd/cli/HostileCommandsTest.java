package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.cowherd.testkit.HostileImage;
import dev.cowherd.testkit.HostileImages;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever image a command gets, it ends soon with an exit code of its own and, where it fails, lines for people: no stack
 * trace, no exception's name. It does not touch the image.
 */
final class HostileCommandsTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    private Path folder;

    static List<HostileImage> images() {
        return HostileImages.all();
    }

    @ParameterizedTest
    @MethodSource("images")
    void everyCommandEndsWithLinesForPeople(HostileImage hostile) throws IOException {
        Path image = hostile.writeTo(folder);
        String name = image.toString();
        long modified = Files.getLastModifiedTime(image).toMillis();
        long bytes = Files.size(image);
        String out = folder.resolve("out.raw").toString();
        for (List<String> command : List.of(
                List.of("info", name),
                List.of("info", "--backing-chain", "--output=json", name),
                List.of("map", "-f", "qcow2", name),
                List.of("map", "-f", "qcow2", "--output=json", name),
                List.of("check", "-f", "qcow2", name),
                List.of("check", "-f", "qcow2", "--output=json", name),
                List.of("measure", "-f", "qcow2", "-O", "qcow2", name),
                List.of("compare", "-f", "qcow2", "-F", "qcow2", name, name),
                List.of("convert", "-f", "qcow2", "-O", "raw", name, out))) {
            // A huge disk is compared and converted by what it holds, but that is walked range by range: another test's
            // matter.
            if (hostile.row() == 11
                    && (command.get(0).equals("compare") || command.get(0).equals("convert"))) {
                continue;
            }
            Ran ran = assertTimeoutPreemptively(
                    LIMIT, () -> new CommandLine(folder).run(command), () -> String.join(" ", command));
            String what = String.join(" ", command) + "\n" + ran.err();
            assertThat(ran.exit()).as(what).isBetween(0, 4);
            assertThat(ran.err()).as(what).doesNotContain("Exception", "\tat ", "dev.cowherd", "java.");
            if (ran.exit() == 1) {
                assertThat(ran.err()).as(what).contains("cowherd: ").endsWith("\n");
            }
        }
        assertThat(Files.size(image)).isEqualTo(bytes);
        assertThat(Files.getLastModifiedTime(image).toMillis()).isEqualTo(modified);
    }
}
