/** The shared map of an image: L1, L2 slices, and the extents they answer with. */
module dev.cowherd.metadata {
    requires static transitive org.jspecify;
    requires jdk.jfr;
    requires transitive dev.cowherd.format;
    requires transitive dev.cowherd.storage;

    exports dev.cowherd.metadata;
}
