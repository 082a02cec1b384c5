package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Proves that whatever goes wrong is one line on the error stream and an exit code, never a stack trace. */
final class MainTest {
    @TempDir
    Path folder;

    private CommandLine commandLine;

    @BeforeEach
    void openFolder() throws IOException {
        commandLine = new CommandLine(folder);
        Files.createDirectory(folder.resolve("folder"));
        Files.write(folder.resolve("a.raw"), new byte[1024]);
        Files.write(folder.resolve("bad.qcow2"), new byte[] {'Q', 'F', 'I', (byte) 0xfb, 0, 0, 0, 9});
    }

    @Test
    void wordsThatAreGivenBackDoNotSteerTheTerminal() {
        assertThat(new CommandLine(folder).run("\u001b[31mred").err())
                .isEqualTo("cowherd: Command not found: ?[31mred\n");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    ''                              | not enough arguments; try 'cowherd --help'
                    nothing                         | Command not found: nothing
                    --nothing                       | unrecognized option '--nothing'; try 'cowherd --help'
                    rebase a.raw                    | the command 'rebase' is not implemented yet
                    info                            | Expecting one image file name
                    info a.raw a.raw                | Expecting one image file name
                    info --nothing a.raw            | unrecognized option '--nothing'
                    info --output=xml a.raw         | --output expects 'human' or 'json' not 'xml'
                    info --image-opts a.raw         | option '--image-opts' is not supported
                    info --object x a.raw           | option '--object' is not supported
                    info -f vmdk a.raw              | Could not open 'a.raw': Unknown driver 'vmdk'
                    info -f qcow2 a.raw             | Could not open 'a.raw': Image is not in qcow2 format
                    info missing                    | Could not open 'missing': No such file or directory (ENOENT)
                    --compat-output=8 info a.raw    | --compat-output must be 7 or 10
                    """)
    void refusesInOneLine(String arguments, String line) {
        Ran ran = arguments.isEmpty() ? commandLine.run() : commandLine.run(arguments.split(" ", -1));
        assertThat(ran.err()).isEqualTo("cowherd: " + line + "\n");
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.out()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"info folder", "info bad.qcow2", "info /dev/null", "info /proc/cpuinfo"})
    void refusesWhatIsNoImageInOneLineThatNamesIt(String arguments) {
        Ran ran = commandLine.run(arguments.split(" ", -1));
        String name = arguments.substring("info ".length());
        assertThat(ran.err())
                .startsWith("cowherd: Could not open '" + name + "': ")
                .hasLineCount(1);
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.out()).isEmpty();
    }

    @Test
    void showsWhereAFailureAroseOnlyOnRequest() {
        for (String[] line : new String[][] {{"--debug", "info", "missing"}, {"info", "missing", "--debug"}}) {
            assertThat(commandLine.run(line).err())
                    .contains("\tat dev.cowherd")
                    .endsWith("No such file or directory (ENOENT)\n");
        }
        assertThat(commandLine.run("info", "--", "--debug").err())
                .isEqualTo("cowherd: Could not open '--debug': No such file or directory (ENOENT)\n");
    }

    @Test
    void helpsAndTellsItsVersion() {
        for (String flag : new String[] {"--help", "-h", "help"}) {
            assertThat(commandLine.run(flag).out())
                    .startsWith("usage: cowherd ")
                    .contains("measure", "convert");
        }
        assertThat(commandLine.run("info", "--help").out()).startsWith("usage: cowherd ");
        assertThat(commandLine.run("--version").out()).matches("cowherd version \\d+\\.\\d+\\.\\d+\n");
        assertThat(commandLine.run("-V").exit()).isZero();
    }
}
