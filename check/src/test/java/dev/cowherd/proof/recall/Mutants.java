package dev.cowherd.proof.recall;

import java.util.List;

/** The known faults: each was in a published engine once. The numbers are those of {@code docs/recall.md}. */
@SuppressWarnings("StringConcatToTextBlock") // the indentation of a piece is part of it
final class Mutants {
    private static final String METADATA = "metadata/src/main/java/dev/cowherd/metadata/";
    private static final String IMAGE = "image/src/main/java/dev/cowherd/image/";
    private static final String REUSE = "dev.cowherd.proof.ReuseTest";
    private static final String RULES = "dev.cowherd.proof.RulesTest#";

    private Mutants() {}

    static final List<Mutant> ALL = List.of(
            new Mutant(
                    "H1",
                    "a read in flight does not keep freed clusters from being reused",
                    METADATA + "Epochs.java",
                    "            if (since != IDLE) {",
                    "            if (since == Long.MIN_VALUE) {",
                    List.of(REUSE + "#aReadOnItsWayNeverSeesTheNextOwnersBytes")),
            new Mutant(
                    "H2",
                    "a write in flight is not counted as a user of the cluster it goes to",
                    IMAGE + "DiskQueue.java",
                    "        enter();\n        try {\n            checkRange(offset, length);\n"
                            + "            if (source.isNative()) {",
                    "        admission.enter();\n        try {\n            checkRange(offset, length);\n"
                            + "            if (source.isNative()) {",
                    List.of(REUSE + "#aWriteOnItsWayNeverLandsOnTheNextOwnersBytes")),
            new Mutant(
                    "H3",
                    "two writers allocate the same guest cluster",
                    METADATA + "InFlight.java",
                    "if (first < range.end && range.first < end) {",
                    "if (first < 0 && range.first < end) {",
                    List.of(RULES + "twoWritersOfOneClusterThatIsNotThereLoseNothing")),
            new Mutant(
                    "H4",
                    "an allocation whose write failed is published all the same",
                    IMAGE + "Qcow2Writer.java",
                    "                image.abortWrite(step, top);",
                    "                image.commitWrite(step, top, scratch);",
                    List.of(RULES + "aFailedAllocationLeavesWhatWasThere")),
            new Mutant(
                    "H5",
                    "a cluster is free before its hole is punched",
                    METADATA + "ReuseGate.java",
                    "                if (punchHoles) {\n",
                    "                allocator.giveBack(run.cluster(), run.count(), handles.file());\n"
                            + "                if (punchHoles) {\n",
                    List.of(REUSE + "#aHoleOnItsWayNeverErasesTheNextOwnersBytes")),
            new Mutant(
                    "H6",
                    "an L2 table reaches the disk before the refcounts it needs",
                    METADATA + "FlushProcedure.java",
                    "            writeRefcounts(work.refcounts, io, handles);\n"
                            + "            stages.ended(Stage.REFCOUNTS);\n            sync(handles);\n"
                            + "            refcountsWritten = true;",
                    "            io.writeSlices(work.slices);\n            sync(handles);\n"
                            + "            writeRefcounts(work.refcounts, io, handles);\n            sync(handles);\n"
                            + "            refcountsWritten = true;",
                    List.of(RULES + "everyCutOfAFewRequestsLeavesTheImageRight")),
            new Mutant(
                    "H7",
                    "refcounts drop before the entry that used them is durably gone",
                    METADATA + "FlushProcedure.java",
                    "        Work work = copy();\n",
                    """
                            Work first = copy();
                            for (Slice.Copy early : first.slices) {
                                gate.add(early.drops);
                            }
                            gate.open(handles);
                            allocator.failed(first.refcounts);
                            Work work = new Work(first.slices, first.l1, first.l1Drops, allocator.copyDirty());
                            for (Slice.Copy early : first.slices) {
                                early.drops.clear();
                            }
                    """,
                    List.of(RULES + "everyCutOfAFewRequestsLeavesTheImageRight")),
            new Mutant(
                    "H9",
                    "an L2 entry reaches the disk before the data it points at",
                    METADATA + "FlushProcedure.java",
                    "            sync(handles);\n            refcountsWritten = true;",
                    "            refcountsWritten = true;",
                    List.of(RULES + "everyCutOfAFewRequestsLeavesTheImageRight")),
            new Mutant(
                    "H10",
                    "a COPIED flag is believed although a snapshot shares the cluster",
                    METADATA + "Ownership.java",
                    "        return count == 1 ? word | L2Entry.COPIED : word & ~L2Entry.COPIED;",
                    "        return word;",
                    List.of(RULES + "copiedFlagsThatRefcountsContradictAreNotBelieved")),
            new Mutant(
                    "H11",
                    "a host cluster goes with the first of the compressed clusters in it",
                    METADATA + "Allocator.java",
                    "                    if (had == 1) {",
                    "                    if (had >= 1) {",
                    List.of(RULES + "compressedClustersThatShareAHostClusterKeepIt")),
            new Mutant(
                    "H12",
                    "a rewritten header loses its extensions",
                    METADATA + "ImageHeader.java",
                    "        ByteBuffer bytes = changed.encode();",
                    "        ByteBuffer bytes = changed.withExtensions(java.util.List.of()).encode();",
                    List.of(RULES + "aRewrittenHeaderKeepsItsExtensions")),
            new Mutant(
                    "H13",
                    "what lies past a short backing file is not zeros",
                    IMAGE + "ExtentReader.java",
                    "            destination.asSlice(read).fill((byte) 0);",
                    "            destination.asSlice(read);",
                    List.of(RULES + "whatABackingFileHasOnlyAPartOfASectorOfEndsInZeros")),
            new Mutant(
                    "H14",
                    "a discard on an overlay shows what lies below",
                    METADATA + "MapEraser.java",
                    "        } else {\n            changed = L2Entry.ZERO;",
                    "        } else {\n            changed = 0;",
                    List.of(RULES + "aDiscardedClusterDoesNotShowWhatLiesBelow")),
            new Mutant(
                    "H16",
                    "a flush marks clean what changed while it wrote",
                    METADATA + "FlushProcedure.java",
                    "        gate.add(work.l1Drops);\n    }",
                    "        gate.add(work.l1Drops);\n"
                            + "        synchronized (dirtyLock) {\n            dirtySlices.clear();\n        }\n    }",
                    List.of(RULES + "whatChangesDuringAFlushIsWrittenByTheNext")),
            new Mutant(
                    "H20",
                    "two processes write one image",
                    IMAGE + "ChainOpener.java",
                    "options.forceShare() ? LockMode.NONE : writable ? LockMode.WRITE : LockMode.READ;",
                    "options.forceShare() || writable ? LockMode.NONE : LockMode.READ;",
                    List.of(RULES + "anImageThatIsWrittenHereIsClosedToOtherWriters")),
            new Mutant(
                    "H21",
                    "the cache lets a slice go that is not written yet",
                    METADATA + "Slice.java",
                    "        if (dirty || writing) {",
                    "        if (writing) {",
                    List.of(RULES + "aCacheThatHoldsNothingLosesNoChange")),
            new Mutant(
                    "H23",
                    "what a moved refcount table leaves is never used again",
                    METADATA + "FlushProcedure.java",
                    "        allocator.giveBack(oldOffset >>> geometry.clusterBits(), oldClusters, handles.file());",
                    "        assert oldOffset > 0 && oldClusters > 0;",
                    List.of(RULES + "aRefcountTableThatHasMovedLeavesNothingBehind")),
            new Mutant(
                    "H24",
                    "a failed sync is swallowed",
                    METADATA + "FlushProcedure.java",
                    "handles.file().sync();\n        } catch (IOException e) {\n            health.stop(lost(e), e);\n            throw e;",
                    "handles.file().sync();\n        } catch (IOException e) {\n            health.stop(lost(e), e);",
                    List.of(RULES + "aFailedSyncIsToldAndStopsWriting")));
}
