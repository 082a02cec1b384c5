package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Proves that the launcher hands over arguments, streams and exit codes, wherever it is called from. */
final class LauncherTest {
    @TempDir
    Path folder;

    private Path launcher;
    private Path image;

    @BeforeEach
    void layOut() throws IOException {
        String source = Files.readString(Path.of(System.getProperty("cowherd.root"), "cli/src/main/sh/cowherd"));
        launcher = Files.createDirectories(folder.resolve("a folder/bin")).resolve("cowherd");
        Files.writeString(
                launcher,
                source.replace("@JAVA_HOME@", System.getProperty("java.home"))
                        .replace("@CLASS_PATH@", System.getProperty("java.class.path")));
        assertThat(launcher.toFile().setExecutable(true)).isTrue();
        image = folder.resolve("an image.raw");
        Files.write(image, new byte[4096]);
    }

    private static Ran shell(String script, Path... arguments) {
        String[] command = new String[arguments.length + 4];
        command[0] = "sh";
        command[1] = "-c";
        command[2] = script;
        command[3] = "test";
        for (int i = 0; i < arguments.length; i++) {
            command[i + 4] = arguments[i].toString();
        }
        return Processes.run(command);
    }

    @Test
    void handsOverArgumentsAndTheAnswer() {
        Ran ran = Processes.run(launcher.toString(), "info", "-f", "raw", image.toString());
        assertThat(ran.err()).isEmpty();
        assertThat(ran.out()).startsWith("image: " + image + "\nfile format: raw\n");
        assertThat(ran.exit()).isZero();
    }

    @Test
    void answersInItsExitCodeAndInOneLineWhatWentWrong() {
        Ran ran = Processes.run(
                launcher.toString(), "info", folder.resolve("missing").toString());
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err()).startsWith("cowherd: Could not open '").hasLineCount(1);
    }

    @Test
    void worksThroughALinkFromAnotherFolder() throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("link"), launcher);
        Ran ran = shell("cd \"$1\" && ./link --debug map --output=json 'an image.raw'", folder, link);
        assertThat(ran.err()).isEmpty();
        assertThat(ran.out()).startsWith("[{ \"start\": 0, \"length\": 4096,");
    }

    @Test
    void isQuietWhenItsReaderGoesAway() {
        String script = """
                mkfifo "$3"
                { read -r gone <"$3"; "$1" info "$2"; echo $? >&2; } | { exec <&-; echo gone >"$3"; }
                """;
        Ran ran = shell(script, launcher, image, folder.resolve("signal"));
        assertThat(ran.err()).isEqualTo("141\n");
    }

    @Test
    void saysThatItsAnswerCouldNotBeWritten() {
        Ran ran = shell("\"$1\" info \"$2\" >/dev/full", launcher, image);
        assertThat(ran.err())
                .startsWith("cowherd: could not write to standard output: ")
                .hasLineCount(1);
        assertThat(ran.exit()).isEqualTo(1);
    }
}
