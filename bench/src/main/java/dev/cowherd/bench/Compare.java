package dev.cowherd.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Holds Cowherd against its peers and prints one Markdown table of ratios, all from one run. */
public final class Compare {
    private Compare() {}

    /**
     * Runs the comparison.
     *
     * @param args {@code --quick} for small images and short runs, {@code --only a,b} for some groups, {@code --folder F} for
     *     where the images are made
     * @throws IOException if a peer is missing or fails
     */
    public static void main(String[] args) throws IOException {
        boolean quick = false;
        int rounds = 5;
        List<String> only = List.of();
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cowherd-bench");
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--quick" -> {
                    quick = true;
                    rounds = 3;
                }
                case "--only" -> only = List.of(args[++i].split(",", -1));
                case "--folder" -> folder = Path.of(args[++i]);
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                default -> throw new IOException("compare knows --quick, --only GROUPS, --rounds N and --folder F");
            }
        }
        Fixtures fixtures = new Fixtures(folder, quick);
        Workloads workloads = new Workloads(fixtures, rounds, quick ? 1 : 3, quick);
        List<Line> lines = new ArrayList<>();
        for (Map.Entry<String, Workloads.Group> group : workloads.all().entrySet()) {
            if (only.isEmpty() || only.contains(group.getKey())) {
                lines.addAll(group.getValue().run());
            }
        }
        System.out.println(machine());
        System.out.println();
        System.out.println(Line.header());
        for (Line line : lines) {
            System.out.println(line.row());
        }
        if (only.isEmpty() || only.contains("coarse")) {
            new CoarseLock(fixtures.plainToWrite(), quick ? 0.5 : 2).print(System.out::println);
        }
    }

    private static String machine() throws IOException {
        return Machine.inOneLine() + ", "
                + Processes.run(Processes.qemu10("qemu-img").toString(), "--version")
                        .lines()
                        .findFirst()
                        .orElse("")
                + "; page cache; medians of rounds measured in turn.";
    }
}
