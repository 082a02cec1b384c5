package dev.cowherd.testkit.tidy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Proves that the project's own sources keep the house rules, and that each rule catches what it is there for. */
final class TidyTest {
    private static final Path ROOT = projectRoot();
    private static List<SourceFile> sources = List.of();

    @BeforeAll
    static void readSources() {
        sources = SourceFile.allBelow(ROOT);
        assertThat(sources).as("sources below " + ROOT).hasSizeGreaterThan(20);
    }

    @Test
    void filesAndMethodsFitOneSitting() {
        assertThat(breaches(Rules::tooLong)).isEmpty();
    }

    @Test
    void bannedCallsAreNotMade() {
        assertThat(breaches(Rules::bannedCalls)).isEmpty();
    }

    @Test
    void everyFileAndPackageSaysWhatItIsResponsibleFor() {
        assertThat(breaches(Rules::undocumented)).isEmpty();
    }

    @Test
    void everyPackageHasItsPage() {
        List<String> missing = sources.stream()
                .filter(f -> f.isMain() && !f.path().endsWith("module-info.java"))
                .map(f -> f.path().getParent())
                .distinct()
                .filter(folder -> !Files.exists(ROOT.resolve(folder).resolve("package-info.java")))
                .map(folder -> folder + ": no package-info.java")
                .toList();
        assertThat(missing).isEmpty();
    }

    @Test
    void nothingIsLeftForLater() {
        assertThat(breaches(Rules::leftForLater)).isEmpty();
    }

    @Test
    void dependenciesPointOneWay() {
        assertThat(breaches(Rules::wrongWay)).isEmpty();
        assertThat(sources.stream()
                        .filter(f -> f.path().endsWith("module-info.java"))
                        .map(SourceFile::module)
                        .collect(Collectors.toSet()))
                .isEqualTo(Rules.MAY_REQUIRE.keySet());
    }

    @Test
    void aLongMethodIsCaught() {
        String body = "int x = 0;\n".repeat(Rules.MAX_METHOD_LINES);
        assertThat(Rules.tooLong(main("class A { void m() {\n" + body + "} }")))
                .singleElement()
                .asString()
                .contains("method m");
    }

    @Test
    void aLongFileIsCaught() {
        assertThat(Rules.tooLong(main("class A {}\n" + "// line\n".repeat(Rules.MAX_FILE_LINES))))
                .hasSize(1);
    }

    @Test
    void bannedCallsAreCaught() {
        assertThat(Rules.bannedCalls(
                        main("class A { void m() throws Exception { Thread.sleep(1); System.exit(1); } }")))
                .hasSize(2);
        assertThat(Rules.bannedCalls(main("class A { void m(Exception e) { e.printStackTrace(); } }")))
                .hasSize(1);
        assertThat(Rules.bannedCalls(main("class A { Object r = new java.util.Random(); Object q = new Random(); }")))
                .hasSize(2);
        assertThat(Rules.bannedCalls(main("class A { void m() { try { m(); } catch (Exception e) { } } }")))
                .hasSize(1);
    }

    @Test
    void aFileWithoutItsOpeningSentenceIsCaught() {
        assertThat(Rules.undocumented(main("class A {}"))).hasSize(1);
        assertThat(Rules.undocumented(main("/** Does one thing. */ class A {}")))
                .isEmpty();
        assertThat(Rules.undocumented(SourceFile.of("format/src/main/java/p/package-info.java", "package p;")))
                .hasSize(2);
    }

    @Test
    void anArrowTheOtherWayIsCaught() {
        SourceFile wrong = SourceFile.of(
                "format/src/main/java/module-info.java", "module f {\n    requires dev.cowherd.storage;\n}");
        assertThat(Rules.wrongWay(wrong)).singleElement().asString().contains("must not know storage");
    }

    private static SourceFile main(String text) {
        return SourceFile.of("image/src/main/java/dev/cowherd/image/A.java", text);
    }

    private static List<String> breaches(Function<SourceFile, List<String>> rule) {
        return sources.stream().flatMap(f -> rule.apply(f).stream()).toList();
    }

    /** The folder of the reactor, found from where the test runs: it alone holds both a pom and the format module. */
    private static Path projectRoot() {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.exists(folder.resolve("pom.xml")) && Files.isDirectory(folder.resolve("format/src"))) {
                return folder;
            }
        }
        throw new AssertionError("not inside the project: " + Path.of("").toAbsolutePath());
    }
}
