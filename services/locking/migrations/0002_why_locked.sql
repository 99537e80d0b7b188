-- Why a principal locked a class by hand: the reason that came with the order.
ALTER TABLE locks ADD COLUMN reason text NOT NULL DEFAULT '';
