package dev.cowherd.stress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * No run of two real threads shows what the tests of jcstress forbid. They run in processes of their own: briefly, and those only whose
 * faults this processor can show, in a normal run; all of them, in every mixture of compilers, for as many minutes as
 * {@code -Dcowherd.stress=MINUTES} says.
 */
class StressTest {
    private static final Path ROOT = Path.of(System.getProperty("cowherd.root"));
    private static final int MINUTES = Integer.getInteger("cowherd.stress", 0);
    /** What two threads on x86 can be seen to do wrong. */
    private static final String VISIBLE = "BeginAgainstUnlink|TwoQueuesCome|PairIsReadWhole|ChangeAgainstEviction"
            + "|OneLoadForTwo|ComesAsItsPageGoes|StopIsSeen|PlacesGrow|TwoDirtyBits|OneChangeAtATime"
            + "|RequestAgainstPause|RequestAgainstClose";

    /** Processes of the long run, one for each test and mixture of compilers, and how long one takes to start. */
    private static final int PROCESSES = 220;

    private static final int START_MILLIS = 1_300;

    @Test
    void noForbiddenOutcomeIsSeen() throws Exception {
        Path folder = Files.createDirectories(ROOT.resolve("stress/target/jcstress"));
        Path output = folder.resolve("output.txt");
        Process child = new ProcessBuilder(command())
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = child.waitFor(5 + 3L * MINUTES, TimeUnit.MINUTES);
        if (!ended) {
            child.descendants().forEach(ProcessHandle::destroyForcibly);
            child.destroyForcibly().waitFor();
        }
        String told = told(output);
        assertThat(ended).as("ended in time; %s", told).isTrue();
        assertThat(child.exitValue()).as(told).isZero();
        assertThat(told).contains("Failed tests: No matches").contains("Error tests: No matches");
        assertThat(told).as("tests that ran").containsPattern("All remaining tests: [0-9]{2,}");
    }

    private static List<String> command() {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                "org.openjdk.jcstress.Main",
                "-jvmArgs",
                "-XX:+UseSerialGC",
                // Neither pinned threads nor touched memory: both cost more time than they save in a short run.
                "-af",
                "NONE",
                "-pth",
                "false",
                "-f",
                "1",
                "-fsm",
                "1"));
        if (MINUTES == 0) {
            command.addAll(List.of("-hs", "64", "-sc", "false", "-iters", "2", "-time", "300", "-t", VISIBLE));
        } else {
            int millis = Math.max(100, MINUTES * 60_000 / PROCESSES - START_MILLIS);
            command.addAll(List.of("-hs", "256", "-sc", "true", "-iters", "1", "-time", Integer.toString(millis)));
        }
        return command;
    }

    /** What jcstress says of the outcome, without the way there. */
    private static String told(Path output) throws IOException {
        String all = Files.readString(output);
        int results = all.indexOf("RUN RESULTS");
        return results < 0 ? all.substring(Math.max(0, all.length() - 2000)) : all.substring(results);
    }
}
