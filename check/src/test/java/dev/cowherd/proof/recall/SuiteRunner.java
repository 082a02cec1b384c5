package dev.cowherd.proof.recall;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** The child process: runs suites one after the other until a test fails, and says which. */
final class SuiteRunner {
    /** Exit status: every test passed. */
    static final int UNNOTICED = 0;

    /** Exit status: a test failed; the first line says which and why. */
    static final int CAUGHT = 3;

    private SuiteRunner() {}

    /**
     * Runs suites.
     *
     * @param suites test classes, each with {@code #method} or without
     */
    public static void main(String[] suites) {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Launcher launcher = LauncherFactory.create();
        long tests = 0;
        for (String suite : suites) {
            DiscoverySelector selector = suite.contains("#")
                    ? DiscoverySelectors.selectMethod(suite)
                    : DiscoverySelectors.selectClass(suite);
            LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                    .selectors(selector)
                    .build();
            SummaryGeneratingListener listener = new SummaryGeneratingListener();
            launcher.execute(request, listener);
            for (TestExecutionSummary.Failure failure : listener.getSummary().getFailures()) {
                String why = String.valueOf(failure.getException())
                        .lines()
                        .findFirst()
                        .orElse("");
                out.println(failure.getTestIdentifier().getUniqueId() + "\t" + why);
                System.exit(CAUGHT);
            }
            tests += listener.getSummary().getTestsSucceededCount();
        }
        out.println(tests + " tests passed");
        System.exit(tests == 0 ? 1 : UNNOTICED);
    }
}
