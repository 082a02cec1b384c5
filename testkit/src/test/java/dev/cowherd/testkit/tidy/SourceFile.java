package dev.cowherd.testkit.tidy;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * One Java source of the project, parsed but not attributed.
 *
 * @param path its place below the project's root
 * @param text its whole text
 * @param unit its syntax tree
 * @param trees positions and doc comments of the tree
 */
record SourceFile(Path path, String text, CompilationUnitTree unit, DocTrees trees) {

    /** All Java sources below the root, build output left out. */
    static List<SourceFile> allBelow(Path root) {
        try (Stream<Path> files = Files.walk(root)) {
            List<Path> paths = files.filter(p -> p.toString().endsWith(".java"))
                    .filter(p -> !isBuildOutput(root.relativize(p)))
                    .sorted()
                    .toList();
            Map<Path, String> texts = paths.stream().collect(Collectors.toMap(root::relativize, SourceFile::textOf));
            return parse(texts);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Parses one text as if it stood at the path: lets a test feed a rule what it must refuse. */
    static SourceFile of(String path, String text) {
        return parse(Map.of(Path.of(path), text)).getFirst();
    }

    private static boolean isBuildOutput(Path relative) {
        for (Path part : relative) {
            if (part.toString().equals("target") || part.toString().startsWith(".")) {
                return true;
            }
        }
        return false;
    }

    private static String textOf(Path path) {
        try {
            return Files.readString(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<SourceFile> parse(Map<Path, String> texts) {
        List<SourceFile> parsed = new ArrayList<>();
        List<Text> ordinary = new ArrayList<>();
        new TreeMap<>(texts).forEach((path, text) -> {
            Text source = new Text(path, text);
            // module-info.java may stand only once in a compilation; all else shares one, whose memory is not small.
            if (path.endsWith("module-info.java")) {
                parsed.addAll(parse(List.of(source)));
            } else {
                ordinary.add(source);
            }
        });
        parsed.addAll(parse(ordinary));
        return parsed;
    }

    private static List<SourceFile> parse(List<Text> sources) {
        if (sources.isEmpty()) {
            return List.of();
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        JavacTask task = (JavacTask) compiler.getTask(null, null, null, List.of("--release", "25"), null, sources);
        DocTrees trees = DocTrees.instance(task);
        List<SourceFile> parsed = new ArrayList<>();
        try {
            for (CompilationUnitTree unit : task.parse()) {
                // The compiler wraps its inputs; what comes back of them is the name, the path below the root with a
                // slash.
                Path path = Path.of(unit.getSourceFile().getName().substring(1));
                parsed.add(new SourceFile(
                        path, unit.getSourceFile().getCharContent(true).toString(), unit, trees));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return parsed;
    }

    boolean isMain() {
        return path.toString().contains("src/main/java");
    }

    String module() {
        return path.getName(0).toString();
    }

    long lines() {
        return text.lines().count();
    }

    private static final class Text extends SimpleJavaFileObject {
        private final String content;

        Text(Path path, String content) {
            super(URI.create("string:///" + path.toString().replace('\\', '/')), JavaFileObject.Kind.SOURCE);
            this.content = content;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return content;
        }
    }
}
