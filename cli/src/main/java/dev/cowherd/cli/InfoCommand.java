package dev.cowherd.cli;

import dev.cowherd.format.Header;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code info}: what an image is, without opening its disk; with {@code --backing-chain} also of all images below it. */
final class InfoCommand implements Command {
    private static final int MAX_CHAIN = 200;

    @Override
    public int run(Invocation in) throws CommandException {
        String format = null;
        OutputFormat output = OutputFormat.HUMAN;
        boolean chain = false;
        boolean forceShare = false;
        Flags flags = new Flags(
                in.args(),
                "-f= --format=",
                "-U --force-share",
                "--output=",
                "--backing-chain",
                "--image-opts",
                "--object=",
                "-h --help");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> format = flags.value();
                case "-U" -> forceShare = true;
                case "--output" -> output = OutputFormat.parse(flags.value());
                case "--backing-chain" -> chain = true;
                case "-h" -> {
                    return new HelpCommand().run(in);
                }
                default -> throw flags.notSupported(flag);
            }
        }
        String name = flags.oneOperand("Expecting one image file name");
        List<ImageFacts> facts = new ArrayList<>();
        facts.add(ImageInspector.inspect(in.path(name), name, format, forceShare));
        if (chain) {
            addBacking(facts, in, forceShare);
        }
        in.out()
                .print(
                        output == OutputFormat.JSON
                                ? InfoJson.of(facts, chain, in.compat7())
                                : InfoText.of(facts, in.compat7()));
        return 0;
    }

    private static void addBacking(List<ImageFacts> facts, Invocation in, boolean forceShare) throws CommandException {
        while (true) {
            ImageFacts overlay = facts.get(facts.size() - 1);
            String name = overlay.fullBackingFile();
            if (name == null) {
                return;
            }
            refuseUnsafe(overlay, name, facts);
            facts.add(ImageInspector.inspect(in.path(name), name, backingFormat(overlay.header()), forceShare));
        }
    }

    private static void refuseUnsafe(ImageFacts overlay, String name, List<ImageFacts> facts) throws CommandException {
        if (BackingNames.hasProtocol(name)) {
            throw new CommandException(
                    "Could not open backing file of '" + overlay.fileName() + "': '" + name + "' is not a local file");
        }
        for (int i = 0; i < facts.size(); i++) {
            if (facts.get(i).fileName().equals(name)) {
                throw new CommandException("Backing file '" + name + "' creates an infinite loop.");
            }
        }
        if (facts.size() >= MAX_CHAIN) {
            throw new CommandException("The backing chain is longer than " + MAX_CHAIN + " images");
        }
    }

    private static @Nullable String backingFormat(@Nullable Header header) {
        return header == null ? null : header.backingFormat();
    }
}
