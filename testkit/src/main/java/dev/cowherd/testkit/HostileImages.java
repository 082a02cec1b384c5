package dev.cowherd.testkit;

import java.util.ArrayList;
import java.util.List;

/** All hostile images that are one file. Chains and file kinds need more than a file: their tests make them. */
public final class HostileImages {
    private HostileImages() {}

    /**
     * The whole list.
     *
     * @return header, tables and entries, by row
     */
    public static List<HostileImage> all() {
        List<HostileImage> all = new ArrayList<>();
        all.addAll(HostileHeaders.all());
        all.addAll(HostileTables.all());
        all.addAll(HostileEntries.all());
        return all;
    }
}
