/** A disk and its queues: the library that others embed. */
module dev.cowherd.image {
    requires static transitive org.jspecify;
    requires jdk.jfr;
    requires transitive dev.cowherd.metadata;

    exports dev.cowherd.image;
}
