import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";

export type Item = { label: string; icon?: ReactNode; act: () => void; danger?: boolean; disabled?: boolean } | "line";

/** A menu on a button. Not modal: the modal kind writes a style element, which the page's policy forbids. */
export function Menu({
	trigger,
	items,
	align = "end",
}: {
	trigger: ReactNode;
	items: Item[];
	align?: "start" | "end";
}) {
	return (
		<DropdownMenu.Root modal={false}>
			<DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
			<DropdownMenu.Portal>
				<DropdownMenu.Content
					align={align}
					sideOffset={6}
					collisionPadding={8}
					className="z-40 min-w-44 rounded-lg border bg-surface p-1 shadow-pop [animation:rise_.12s_ease-out]"
				>
					{items.map((item, at) =>
						item === "line" ? (
							<DropdownMenu.Separator key={at} className="my-1 border-t" />
						) : (
							<DropdownMenu.Item
								key={item.label}
								disabled={item.disabled}
								onSelect={item.act}
								className={`flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-1.5 outline-none data-disabled:opacity-50 data-highlighted:bg-sunken ${item.danger ? "text-bad" : ""}`}
							>
								{item.icon}
								{item.label}
							</DropdownMenu.Item>
						),
					)}
				</DropdownMenu.Content>
			</DropdownMenu.Portal>
		</DropdownMenu.Root>
	);
}
