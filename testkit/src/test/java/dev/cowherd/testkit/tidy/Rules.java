package dev.cowherd.testkit.tidy;

import com.sun.source.tree.CatchTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.MemberSelectTree;
import com.sun.source.tree.MethodInvocationTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.NewClassTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.TreePath;
import com.sun.source.util.TreePathScanner;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The house rules that a syntax tree can show. Each rule answers with a line a breach, empty when all is well. */
final class Rules {
    static final int MAX_FILE_LINES = 500;
    static final int MAX_METHOD_LINES = 80;

    /** Calls that have no place anywhere, tests included. */
    private static final Map<String, String> BANNED_CALLS = Map.of(
            "Thread.sleep", "wait for the event itself",
            "Thread.yield", "wait for the event itself",
            "System.gc", "do not steer the collector");

    /** Calls that only the named files may make. */
    private static final Map<String, Set<String>> CONFINED_CALLS = Map.of(
            "System.exit",
                    Set.of(
                            "cli/src/main/java/dev/cowherd/cli/Main.java",
                            "check/src/test/java/dev/cowherd/proof/recall/SuiteRunner.java"),
            "halt", Set.of("cli/src/main/java/dev/cowherd/cli/Main.java"),
            "printStackTrace", Set.of("cli/src/main/java/dev/cowherd/cli/Main.java"));

    /** What each module may require of ours: calls only ever go down. */
    static final Map<String, Set<String>> MAY_REQUIRE = Map.of(
            "format", Set.of(),
            "storage", Set.of(),
            "metadata", Set.of("format", "storage"),
            "image", Set.of("metadata"),
            "testkit", Set.of("format", "storage", "image"),
            "check", Set.of("format", "storage"),
            "nbd", Set.of("image"),
            "cli", Set.of("format", "storage", "image", "check", "nbd"),
            "bench", Set.of("format", "storage", "image", "cli"));

    private Rules() {}

    static List<String> tooLong(SourceFile file) {
        List<String> breaches = new ArrayList<>();
        if (file.lines() > MAX_FILE_LINES) {
            breaches.add(file.path() + ": " + file.lines() + " lines; a file has at most " + MAX_FILE_LINES);
        }
        new Walk(file) {
            @Override
            public Void visitMethod(MethodTree method, Void unused) {
                long lines = lineOf(end(method)) - lineOf(start(method)) + 1;
                if (method.getBody() != null && lines > MAX_METHOD_LINES) {
                    breaches.add(at(method) + "method " + method.getName() + " has " + lines + " lines; at most "
                            + MAX_METHOD_LINES);
                }
                return super.visitMethod(method, null);
            }
        }.scan(file.unit(), null);
        return breaches;
    }

    static List<String> bannedCalls(SourceFile file) {
        List<String> breaches = new ArrayList<>();
        new Walk(file) {
            @Override
            public Void visitMethodInvocation(MethodInvocationTree call, Void unused) {
                String name = call.getMethodSelect().toString();
                String why = BANNED_CALLS.get(name);
                if (why != null) {
                    breaches.add(at(call) + name + " is banned: " + why);
                }
                CONFINED_CALLS.forEach((confined, allowed) -> {
                    boolean named = name.equals(confined)
                            || (call.getMethodSelect() instanceof MemberSelectTree select
                                    && select.getIdentifier().contentEquals(confined));
                    if (named && !allowed.contains(file.path().toString())) {
                        breaches.add(at(call) + confined + " belongs in " + allowed);
                    }
                });
                return super.visitMethodInvocation(call, null);
            }

            @Override
            public Void visitNewClass(NewClassTree created, Void unused) {
                if ((created.getIdentifier().toString().equals("Random")
                                || created.getIdentifier().toString().equals("java.util.Random"))
                        && created.getArguments().isEmpty()) {
                    breaches.add(at(created) + "new Random() has no seed: a failure could not be run again");
                }
                return super.visitNewClass(created, null);
            }

            @Override
            public Void visitCatch(CatchTree caught, Void unused) {
                String type = caught.getParameter().getType().toString();
                if (file.isMain()
                        && caught.getBlock().getStatements().isEmpty()
                        && !caught.getParameter().getName().toString().isEmpty()
                        && (type.equals("Exception") || type.equals("Throwable"))) {
                    breaches.add(at(caught) + "an empty catch of " + type + " swallows errors");
                }
                return super.visitCatch(caught, null);
            }
        }.scan(file.unit(), null);
        return breaches;
    }

    /** A file opens with the one thing it is responsible for; a package says what it owns and is null-marked. */
    static List<String> undocumented(SourceFile file) {
        List<String> breaches = new ArrayList<>();
        String name = file.path().getFileName().toString();
        if (name.equals("package-info.java")) {
            if (!file.text().contains("/**")) {
                breaches.add(file.path() + ": the package does not say what it owns");
            }
            if (!file.text().contains("@NullMarked")) {
                breaches.add(file.path() + ": the package is not @NullMarked");
            }
        } else if (file.isMain() && !name.equals("module-info.java")) {
            for (Tree type : file.unit().getTypeDecls()) {
                if (type instanceof ClassTree declared
                        && file.trees().getDocComment(TreePath.getPath(file.unit(), declared)) == null) {
                    breaches.add(file.path() + ": " + declared.getSimpleName()
                            + " does not open with what it is responsible for");
                }
            }
        }
        return breaches;
    }

    static List<String> leftForLater(SourceFile file) {
        List<String> breaches = new ArrayList<>();
        if (file.module().equals("testkit") && file.path().toString().contains("/tidy/")) {
            return breaches;
        }
        int number = 0;
        for (String line : file.text().lines().toList()) {
            number++;
            for (String mark : List.of("TODO", "FIXME", "XXX", "@Disabled")) {
                if (line.contains(mark)) {
                    breaches.add(file.path() + ":" + number + ": " + mark + " is work left undone");
                }
            }
        }
        return breaches;
    }

    static List<String> wrongWay(SourceFile file) {
        List<String> breaches = new ArrayList<>();
        if (!file.path().endsWith("module-info.java")) {
            return breaches;
        }
        Set<String> allowed = MAY_REQUIRE.get(file.module());
        if (allowed == null) {
            return List.of(file.path() + ": module " + file.module() + " has no place in the order of modules");
        }
        for (String line : file.text().lines().toList()) {
            int at = line.indexOf("dev.cowherd.");
            if (line.strip().startsWith("requires ") && at >= 0) {
                String required = line.substring(at + "dev.cowherd.".length(), line.indexOf(';'));
                if (!allowed.contains(required)) {
                    breaches.add(file.path() + ": " + file.module() + " must not know " + required);
                }
            }
        }
        return breaches;
    }

    /** A tree walk that knows line numbers. */
    private abstract static class Walk extends TreePathScanner<Void, Void> {
        private final SourceFile file;

        Walk(SourceFile file) {
            this.file = file;
        }

        long start(Tree tree) {
            return file.trees().getSourcePositions().getStartPosition(file.unit(), tree);
        }

        long end(Tree tree) {
            return file.trees().getSourcePositions().getEndPosition(file.unit(), tree);
        }

        long lineOf(long position) {
            return file.unit().getLineMap().getLineNumber(position);
        }

        String at(Tree tree) {
            return file.path() + ":" + lineOf(start(tree)) + ": ";
        }
    }
}
